import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Intent } from '../deed/intents.ts';
import { intentEnvironment, orphansOf } from '../deed/orphans.ts';
import type { DeedRecord } from '../deed/record.ts';
import type { RunningProgram } from '../dom0/access.ts';
import { SealiftError } from '../domain/error.ts';
import type { Manifest } from '../domain/manifest.ts';
import type { MemoryTaker } from '../transport/landing.ts';
import { awaitGone, domainsOf } from '../xen/gone.ts';
import { ConfigSwap, migrationMessages } from '../xen/migration-stream.ts';
import type { Domain } from '../xen/toolstack.ts';
import { writeXlConfig } from '../xen/xl-config/write.ts';
import { xlFailed } from '../xen/xl-run.ts';
import { runName } from './folders.ts';
import type { Host } from './host.ts';
import { findNotes, readNotes, updateNotes } from './notes.ts';
import type { RunNotes } from './notes.ts';
import { translated } from './translation.ts';
import { ending, inTurn } from './vm-turn.ts';

/** How long a destroyed domain may be dying. */
const dyingLimitMs = 30_000;
/** So long xl may take for a piece of a guest's memory, or to end after its last word. */
const xlLimitMs = 120_000;

/**
 * Destination: takes a guest that comes with its memory, into a domain of this host's own configuration that stays paused. What came by an earlier
 * session, or an earlier run, is destroyed first. Throws 'bad-statement' where the run's method brings no memory, 'preflight-refused', 'deed-refused', what `xl` fails with.
 */
export async function receiveGuest(
  host: Host,
  coming: { run: string; session: number; config: string },
  signal: AbortSignal,
): Promise<MemoryTaker> {
  const run = host.deeds.openRuns().find((one) => one.role === 'destination' && runName(one) === coming.run);
  if (run?.method !== 'live') throw new SealiftError('bad-statement', 'no memory crosses in this run');
  const { migrationId, lineage } = run;
  return inTurn(host, lineage, async () => {
    signal.throwIfAborted();
    const { record } = host.deeds.byMigration(migrationId);
    const { vmUuid, vmName } = record;
    const { luns } = readNotes(host.deeds, migrationId);
    const { config } = await translated(host.file, { vmUuid, vmName, config: coming.config, disks: luns });
    const intent = host.deeds.mayArrive(migrationId);
    const env = intentEnvironment(intent);
    let program: RunningProgram;
    try {
      await destroyWaiting(host, record, env);
      program = await host.toolstack.receive({ env });
    } catch (error) {
      await endIfOver(host, intent);
      throw error;
    }
    return new Arrival(host, { ...coming, migrationId, record }, { intent, program, config: writeXlConfig(config) });
  });
}

/** Destroys what came of a VM with its memory and never ran. Only where this host has no right to run it. */
export async function dropArrivals(host: Host, record: DeedRecord): Promise<void> {
  if (!(await domainsOf(host.toolstack, { uuid: record.vmUuid })).some(isWaiting)) return;
  const intent = host.deeds.mayDropArrival(record.lineage);
  await ending(host, intent, (env) => destroyWaiting(host, record, env));
}

async function destroyWaiting(host: Host, record: DeedRecord, env: Record<string, string>): Promise<void> {
  const uuid = record.vmUuid;
  const before = (await domainsOf(host.toolstack, { uuid })).filter(isWaiting);
  if (before.length === 0) return;
  for (const domain of before) await host.toolstack.destroy(domain, { env });
  const end = await awaitGone(host.toolstack, { uuid, before }, { limitMs: dyingLimitMs });
  if (end !== 'gone') throw new SealiftError('disk-busy', `${record.vmName} was destroyed and is still dying`);
}

/** Whether a domain that a host has of a VM on its way there is one that came with its memory, and waits. */
export function isArrival(host: Pick<Host, 'deeds'>, domain: Domain): boolean {
  return isWaiting(domain) && host.deeds.byVm(domain.uuid)?.state === 'receiving';
}

/** Throws 'memory-missing' unless the guest is here, as a whole and paused, by the session whose memory is its last. */
export async function requireArrival(host: Host, migrationId: string, manifest: Manifest): Promise<void> {
  const { record } = host.deeds.byMigration(migrationId);
  const { arrival } = readNotes(host.deeds, migrationId);
  const domain = await arrivedDomain(host, record, arrival);
  const isLast = arrival?.session === manifest.memory?.session && arrival?.configDigest === digestOf(manifest.config);
  if (domain !== null && isLast) return;
  throw new SealiftError('memory-missing', `${host.file.name} does not have the memory of ${record.vmName}`);
}

/** The domain that came with the VM's memory: it waits, or was let run already. Null when it is not there any more. */
export async function arrivedDomain(
  host: Host,
  { vmUuid }: DeedRecord,
  arrival: RunNotes['arrival'],
): Promise<Domain | null> {
  if (arrival === null) return null;
  const domains = await domainsOf(host.toolstack, { uuid: vmUuid });
  const own = domains.find(({ domid }) => domid === arrival.domid);
  if (own === undefined) return null;
  const goesOn = own.state === 'running' || own.state === 'paused';
  return isWaiting(own) || (arrival.woken && goesOn) ? own : null;
}

/** That a domain which came with its memory is let run: durable before it does. */
export function noteArrivalWoken(host: Host, migrationId: string): void {
  const { arrival } = readNotes(host.deeds, migrationId);
  if (arrival !== null) updateNotes(host.deeds, migrationId, { arrival: { ...arrival, woken: true } });
}

/** That it is not there, or not to be used: a domain that is made in its place may get its number. */
export function noteArrivalGone(host: Host, migrationId: string): void {
  const { arrival } = readNotes(host.deeds, migrationId);
  if (arrival !== null) updateNotes(host.deeds, migrationId, { arrival: { ...arrival, domid: noDomid } });
}

const noDomid = -1;

/** Whether a domain came, or was made, to be paused, and has never run. */
export function isWaiting({ state, cpuSeconds, shutdownReason }: Domain): boolean {
  return state === 'paused' && cpuSeconds === 0 && shutdownReason === null;
}

function digestOf(config: string): string {
  return createHash('sha256').update(config).digest('hex');
}

interface Coming {
  migrationId: string;
  record: DeedRecord;
  session: number;
  config: string;
}

/** One run of `xl migrate-receive`. */
class Arrival implements MemoryTaker {
  readonly arrived: Promise<void>;
  readonly #host: Host;
  readonly #coming: Coming;
  readonly #intent: Intent;
  readonly #program: RunningProgram;
  readonly #swap: ConfigSwap;
  /** Whether xl was told to go on: from then on it ends well without this process too. */
  #isTold = false;
  #isOver = false;
  /** Since when xl has been waited for; null while the guest's memory is. */
  #waitsSince: number | null = null;
  #took: () => void = () => undefined;

  constructor(
    host: Host,
    coming: Coming,
    { intent, program, config }: { intent: Intent; program: RunningProgram; config: string },
  ) {
    this.#host = host;
    this.#coming = coming;
    this.#intent = intent;
    this.#program = program;
    this.#swap = new ConfigSwap(config);
    this.arrived = this.#attend();
    this.arrived.catch(() => undefined);
    void program.ended.then(() => {
      this.#took();
    });
  }

  async take(piece: Buffer): Promise<void> {
    const bytes = this.#swap.take(piece);
    const { stdin } = this.#program;
    if (bytes.length === 0 || !stdin.writable || this.#isOver) return;
    this.#waitsSince = performance.now();
    await new Promise<void>((resolve) => {
      this.#took = resolve;
      stdin.write(bytes, () => {
        resolve();
      });
    });
    this.#waitsSince = null;
  }

  cut(): void {
    if (!this.#isTold) this.#program.stdin.destroy();
  }

  async #attend(): Promise<void> {
    try {
      await Promise.race([this.#complete(), this.#hanging()]);
      this.#host.deeds.endIntent(this.#intent.id, true);
    } catch (error) {
      this.cut();
      await Promise.race([this.#program.ended, sleep(xlLimitMs, null, { ref: false })]);
      await endIfOver(this.#host, this.#intent);
      throw error;
    } finally {
      this.#isOver = true;
    }
  }

  async #complete(): Promise<void> {
    await this.#hearReady();
    this.#isTold = true;
    this.#waitsSince = performance.now();
    this.#program.stdin.write(migrationMessages.go);
    this.#program.stdout.resume();
    const { exitCode } = await this.#program.ended;
    if (exitCode !== 0) throw this.#failed(exitCode);
    const { migrationId, record, session, config } = this.#coming;
    const domains = await domainsOf(this.#host.toolstack, { uuid: record.vmUuid });
    const [domain] = domains;
    if (domain === undefined || domains.length > 1 || domain.name !== record.vmName || !isWaiting(domain))
      throw new SealiftError('unknown-state', `${record.vmName} came with its memory, and does not wait`);
    const arrival = { session, domid: domain.domid, configDigest: digestOf(config), woken: false };
    updateNotes(this.#host.deeds, migrationId, { arrival });
  }

  /** Waits until xl has said that all is there; what it says otherwise, or its end, is a failure. */
  async #hearReady(): Promise<void> {
    const { banner, ready } = migrationMessages;
    const awaited = Buffer.concat([banner, ready]);
    let said: Buffer = Buffer.alloc(0);
    // It has more to say after that.
    for await (const piece of this.#program.stdout.iterator({ destroyOnReturn: false })) {
      said = Buffer.concat([said, piece as Buffer]);
      const bytes = Math.min(said.length, awaited.length);
      if (!said.subarray(0, bytes).equals(awaited.subarray(0, bytes)))
        throw new SealiftError('xl-failed', 'xl migrate-receive says something else than it should');
      if (bytes === awaited.length) return;
    }
    throw this.#failed((await this.#program.ended).exitCode);
  }

  async #hanging(): Promise<never> {
    while (performance.now() - (this.#waitsSince ?? performance.now()) < xlLimitMs) {
      if (this.#isOver) return new Promise(() => undefined);
      await sleep(1_000, undefined, { ref: false });
    }
    throw new SealiftError('xl-hangs', 'xl migrate-receive takes nothing, and does not end');
  }

  #failed(exitCode: number | null): SealiftError {
    return xlFailed('migrate-receive', { exitCode, stdout: '', stderr: this.#program.stderr() });
  }
}

/** Ends the intent unless a process of it lives on: then the next step on the VM waits for that. */
async function endIfOver(host: Host, intent: Intent): Promise<void> {
  if ((await orphansOf(intent.lineage, intent.id)).length === 0) host.deeds.endIntent(intent.id, false);
}

/** Destroys what came to a landing that was given up; it need not be there. */
export async function dropArrivalsOf(host: Host, migrationId: string): Promise<void> {
  const { record, run } = host.deeds.byMigration(migrationId);
  if (run.method !== 'live' || record.state !== 'receiving') return;
  await inTurn(host, record.lineage, async () => {
    const now = host.deeds.byMigration(migrationId).record;
    // What is here may have come by a later run.
    if (now.token !== run.token) return;
    await dropArrivals(host, now);
    if (findNotes(host.deeds, migrationId) !== null) updateNotes(host.deeds, migrationId, { arrival: null });
  });
}
