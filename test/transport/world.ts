import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SealiftError } from '../../domain/error.ts';
import type { Manifest } from '../../domain/manifest.ts';
import { chunkBytes, chunkCount } from '../../domain/chunks.ts';
import type { Session, Signed } from '../../domain/statement.ts';
import { newRunKey } from '../../seal/run-key.ts';
import { newSessionKey, sessionContext } from '../../seal/session.ts';
import { unwrapSessionKey, wrapSessionKey } from '../../seal/wrap.ts';
import type { SessionKeys } from '../../seal/session.ts';
import { openDatabase } from '../../storage/database.ts';
import type { Database } from '../../storage/database.ts';
import { Journal, journalTables } from '../../storage/journal.ts';
import { landingTables, startLanding } from '../../transport/landing.ts';
import type { Landing, LandingLog, LandingOptions, LandingPlace, LandingRun } from '../../transport/landing.ts';
import { codecUrl } from '../../transport/codec.ts';
import { startSendingWith } from '../../transport/sender.ts';
import type { SendJob, SendOptions } from '../../transport/sender.ts';

/** One run between two hosts on this machine; plain data, so that a child process can take a side. */
export interface World {
  folder: string;
  lineage: string;
  token: number;
  vmUuid: string;
  recipient: string;
  secret: string;
  disks: { vdev: string; sizeBytes: number }[];
}

export interface DiskSpec {
  sizeBytes: number;
  /** Chunks that stay zero; the others get random bytes. */
  zeroChunks?: readonly number[];
  /** Only the start of each chunk is random: quick to make and to compress. */
  sparse?: boolean;
}

export const quiet: LandingLog = { info: () => undefined, warn: () => undefined, error: () => undefined };

export async function makeWorld(specs: readonly DiskSpec[], folder?: string): Promise<World> {
  const home = folder ?? (await mkdtemp(join(tmpdir(), 'sealift-transport-')));
  const disks: World['disks'] = [];
  for (const [at, spec] of specs.entries()) {
    const vdev = `xvd${String.fromCharCode(97 + at)}`;
    disks.push({ vdev, sizeBytes: spec.sizeBytes });
    await fill(sourcePath(home, vdev), spec);
    const made = await open(landedPath(home, vdev), 'w');
    await made.truncate(spec.sizeBytes);
    await made.close();
  }
  const key = await newRunKey();
  const world: World = {
    folder: home,
    lineage: randomBytes(16).toString('hex'),
    token: 1,
    vmUuid: randomUUID(),
    disks,
    ...key,
  };
  await writeFile(join(home, 'world.json'), JSON.stringify(world));
  return world;
}

export async function removeWorld(world: World): Promise<void> {
  await rm(world.folder, { recursive: true, force: true });
}

export function runOf(world: World): string {
  return `${world.lineage}/${String(world.token)}`;
}

export function sourcePath(folder: string, vdev: string): string {
  return join(folder, `${vdev}.source`);
}

export function landedPath(folder: string, vdev: string): string {
  return join(folder, `${vdev}.landed`);
}

export function placeOf(world: World, fresh = true): LandingPlace {
  return {
    run: runOf(world),
    disks: world.disks.map(({ vdev, sizeBytes }) => ({
      vdev,
      path: landedPath(world.folder, vdev),
      sizeBytes,
      sectorBytes: 512,
      fresh,
    })),
  };
}

/** A session as the source makes it, with a key of its own. Its signature is not checked here. */
export async function newSession(
  world: World,
  number: number,
): Promise<{ session: Signed<Session>; keys: SessionKeys }> {
  const key = newSessionKey();
  const body: Session = {
    v: 1,
    lineage: world.lineage,
    from: `ed25519:${'A'.repeat(43)}`,
    to: `ed25519:${'B'.repeat(43)}`,
    token: world.token,
    kind: 'session',
    number,
    recipient: world.recipient,
    wrapped: await wrapSessionKey(key, world.recipient),
  };
  const signature = randomBytes(64).toString('base64url');
  return { session: { body, signature }, keys: { key, context: sessionContext(body, 'sealed') } };
}

export interface OpenLanding {
  landing: Landing;
  database: Database;
  journal: Journal;
  close(): Promise<void>;
}

export async function openLanding(world: World, options: Partial<LandingOptions> = {}): Promise<OpenLanding> {
  const database = openDatabase(join(world.folder, 'landing.db'), [journalTables, landingTables]);
  const journal = new Journal(database, 'landing');
  const landing = await startLanding({
    address: '127.0.0.1',
    port: 0,
    database,
    journal,
    authorize: (session) => authorize(world, session),
    threads: 1,
    log: quiet,
    ...options,
  });
  const close = async () => {
    await landing.close();
    database.close();
  };
  return { landing, database, journal, close };
}

/** As a host decides it; the signature is not checked here. */
export async function authorize(world: World, { body }: Signed<Session>): Promise<LandingRun> {
  if (body.lineage !== world.lineage || body.token !== world.token) {
    throw new SealiftError('unknown-run', 'the landing waits for no such run');
  }
  const key = await unwrapSessionKey(body.wrapped, world.secret);
  return { ...placeOf(world), keys: { key, context: sessionContext(body, 'sealed') }, number: body.number };
}

export interface OpenSender {
  job: SendJob;
  close(): Promise<void>;
}

/** A sender with a new session; `close` stops it and closes its database. */
export async function openSender(
  world: World,
  number: number,
  port: number,
  options: Partial<SendOptions> = {},
  codec = codecUrl,
): Promise<OpenSender> {
  const database = openDatabase(join(world.folder, 'source.db'), [journalTables]);
  const { session, keys } = await newSession(world, number);
  const sending: SendOptions = {
    session,
    keys,
    landing: { address: '127.0.0.1', port },
    disks: world.disks.map(({ vdev, sizeBytes }) => ({
      vdev,
      path: sourcePath(world.folder, vdev),
      sizeBytes,
      sectorBytes: 512,
    })),
    journal: new Journal(database, 'source'),
    run: runOf(world),
    manifest: (digests) => manifestOf(world, digests),
    streams: 2,
    compress: 'off',
    log: quiet,
    ...options,
  };
  const job = startSendingWith(sending, codec);
  const close = async () => {
    await job.stop();
    database.close();
  };
  return { job, close };
}

function manifestOf(world: World, digests: readonly string[]): Manifest {
  return {
    lineage: world.lineage,
    token: world.token,
    vmUuid: world.vmUuid,
    vmName: 'web-1',
    config: 'name = "web-1"\n',
    autostart: false,
    disks: world.disks.map((disk, at) => ({ ...disk, sectorBytes: 512, digest: digests[at] ?? '' })),
  };
}

/** The vdevs whose landed disk is not the source's. */
export async function differing(world: World): Promise<string[]> {
  const found: string[] = [];
  for (const { vdev } of world.disks) {
    const source = await readFile(sourcePath(world.folder, vdev));
    if (!source.equals(await readFile(landedPath(world.folder, vdev)))) found.push(vdev);
  }
  return found;
}

/** Polls until `holds`; fails after `limitMs`. */
export async function until(holds: () => boolean, limitMs = 10_000): Promise<void> {
  const endAt = performance.now() + limitMs;
  while (!holds()) {
    if (performance.now() > endAt) throw new Error('what was waited for did not come');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function fill(path: string, { sizeBytes, zeroChunks = [], sparse = false }: DiskSpec): Promise<void> {
  const file = await open(path, 'w');
  await file.truncate(sizeBytes);
  for (let index = 0; index < chunkCount(sizeBytes); index += 1) {
    if (zeroChunks.includes(index)) continue;
    const length = Math.min(sparse ? 4096 : chunkBytes, sizeBytes - index * chunkBytes);
    await file.write(randomBytes(length), 0, length, index * chunkBytes);
  }
  await file.close();
}
