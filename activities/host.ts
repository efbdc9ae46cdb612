import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { Deeds } from '../deed/deeds.ts';
import { loadIdentity, tieIdentity } from '../deed/identity.ts';
import type { Identity } from '../deed/identity.ts';
import { deedTables } from '../deed/tables.ts';
import type { RemoteDom0 } from '../dom0/access.ts';
import { dom0, enterDom0 } from '../dom0/dom0.ts';
import { here } from '../dom0/local.ts';
import { SealiftError } from '../domain/error.ts';
import { parseHostFile } from '../domain/host-file.ts';
import type { HostFile } from '../domain/host-file.ts';
import { openSnapshot } from '../storage/database.ts';
import type { Database } from '../storage/database.ts';
import { claimDom0, openHostState } from '../storage/host-state.ts';
import type { HostState } from '../storage/host-state.ts';
import { Journal, journalTables } from '../storage/journal.ts';
import { startLanding } from '../transport/landing.ts';
import type { Landing } from '../transport/landing.ts';
import { landingTables } from '../transport/landing-store.ts';
import type { Dom0 } from '../xen/dom0.ts';
import type { Toolstack } from '../xen/toolstack.ts';
import { xlToolstack } from '../xen/xl.ts';
import { receiveGuest } from './arrival.ts';
import { authorizeSession } from './authorize.ts';
import { asideRoot, memoryFolder, runKeyFolder } from './folders.ts';
import { TransferJobs } from './jobs.ts';
import { exchange } from './question.ts';
import { receiptTables } from './receipt-book.ts';
import { sweepRunSecrets } from './run-keys.ts';
import { freeLandingSlots } from './slots.ts';
import { lowerAllTunnels } from './tunnel.ts';
import type { RunTunnel } from './tunnel.ts';
import { idle } from './vm-turn.ts';

/** All that a host's steps work with. One process has one host, and owns its state while it runs. */
export interface Host {
  readonly file: HostFile;
  readonly identity: Identity;
  readonly state: HostState;
  readonly deeds: Deeds;
  readonly dom0: Dom0;
  readonly toolstack: Toolstack;
  /** What this host's landing holds. */
  readonly landed: Journal;
  /** What this host read of its own disks, as a source. */
  readonly own: Journal;
  readonly landing: Landing;
  readonly jobs: TransferJobs;
  /** Of the runs by `tunnel` that this host is the source of, by their migrations. */
  readonly tunnels: Map<string, RunTunnel>;
  /** Aborted when the host closes: ends what nobody waits for. */
  readonly leaving: AbortController;
  readonly log: Logger;
}

/** All tables of a host's database. */
const hostTables = [deedTables, journalTables, landingTables, receiptTables];

/**
 * Opens the host of a host file: identity, database (a second process gets `state-locked`), what it is tied to and the
 * owner's mark in dom0 (`copied-host`), and the landing (`port-taken`). Throws `bad-config` when the file does not fit.
 */
export async function openHost(filePath: string, log: Logger): Promise<Host> {
  const file = parseHostFile(await readText(filePath), filePath);
  const identity = await loadIdentity(file.state);
  const state = openHostState(file.state, hostTables);
  try {
    await tieIdentity(file.state, state.instance);
    enterDom0(remoteOf(file, state.instance));
    await dom0().settle();
    await claimDom0(state, file.xen.etc);
    await here.mkdir(runKeyFolder(file), { recursive: true, mode: 0o700 });
    for (const folder of [memoryFolder(file), asideRoot(file)])
      await dom0().mkdir(folder, { recursive: true, mode: 0o700 });
    const deeds = new Deeds(state.database, identity);
    const xen = xenOf(file);
    freeLandingSlots(deeds);
    await sweepRunSecrets({ deeds, file });
    const landed = new Journal(state.database, 'landing');
    const opened: { host: Host | null } = { host: null };
    const landing = await startLanding({
      address: file.landing.listen ?? file.landing.address,
      port: file.landing.port,
      journal: landed,
      database: state.database,
      authorize: (session) => authorizeSession({ deeds, file }, session),
      exchange: () => exchange({ identity, file, ...xen }),
      receiveMemory: async (coming, signal) => {
        if (opened.host === null) throw new SealiftError('landing-away', 'the host is starting');
        return receiveGuest(opened.host, coming, signal);
      },
      log,
    });
    opened.host = {
      file,
      identity,
      state,
      deeds,
      ...xen,
      landed,
      own: new Journal(state.database, 'source'),
      landing,
      jobs: new TransferJobs(file.limits.orphan_seconds * 1_000),
      tunnels: new Map(),
      leaving: new AbortController(),
      log,
    };
    await lowerAllTunnels(opened.host);
    return opened.host;
  } catch (error) {
    state.close();
    dom0().leave();
    throw error;
  }
}

/** What it takes to look at a host's records and at its dom0, without owning its state. */
export interface Onlooker {
  file: HostFile;
  /** This host's identity. */
  me: string;
  database: Database;
  dom0: Dom0;
  toolstack: Toolstack;
}

/** A look at a host from its file, also while its worker runs: the records as they are now, in memory. */
export async function openOnlooker(filePath: string): Promise<Onlooker> {
  const file = parseHostFile(await readText(filePath), filePath);
  const me = (await loadIdentity(file.state)).name;
  enterDom0(remoteOf(file, 'onlooker'));
  return { file, me, database: openSnapshot(join(file.state, 'host.db'), hostTables), ...xenOf(file) };
}

/** Ends the look. */
export function closeOnlooker({ database }: Onlooker): void {
  database.close();
  dom0().leave();
}

/** The same at the host's own process. */
export function onlookerOf({ file, identity, state, dom0, toolstack }: Host): Onlooker {
  return { file, me: identity.name, database: state.database, dom0, toolstack };
}

/** Ends the host's transfers and its landing, and gives its state free. What was acknowledged stays. */
export async function closeHost(host: Host): Promise<void> {
  host.leaving.abort();
  await host.jobs.stopAll();
  await idle(10_000);
  await lowerAllTunnels(host);
  await host.landing.close();
  host.state.close();
  dom0().leave();
}

/** The pinned identity of a peer. Throws `unknown-peer`. */
export function peerIdentity(file: HostFile, name: string): string {
  const peer = file.peer.find((one) => one.name === name);
  if (peer === undefined) throw new SealiftError('unknown-peer', `${file.name} does not trust a host named ${name}`);
  return peer.identity;
}

/** The name under which a peer of that identity is trusted; null when none is. */
export function peerName(file: HostFile, identity: string): string | null {
  return file.peer.find((one) => one.identity === identity)?.name ?? null;
}

/** The name that this host has for an identity: its own, a peer's or an operator's; the identity itself when it has none. */
export function nameOf({ file, identity }: Pick<Host, 'file' | 'identity'>, of: string): string {
  return of === identity.name ? file.name : (peerName(file, of) ?? of);
}

/** How the host's dom0 is entered by SSH; null when it is this machine. */
function remoteOf({ dom0 }: HostFile, owner: string): RemoteDom0 | null {
  if (dom0.access === 'local') return null;
  const { address, port, user, host_key: hostKey, private_key: privateKeyPath } = dom0;
  return { address, port, user, hostKey, privateKeyPath, owner };
}

function xenOf(file: HostFile): Pick<Host, 'dom0' | 'toolstack'> {
  return {
    dom0: { etcFolder: file.xen.etc, autoFolder: join(file.xen.etc, 'auto'), saveFolder: file.xen.save },
    toolstack: xlToolstack({ command: file.xen.xl, env: {}, limitMs: file.xen.limit_seconds * 1_000 }),
  };
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new SealiftError('bad-config', `cannot read ${path}`, {
      cause: error,
      hint: 'make one with: sealift host init',
    });
  }
}
