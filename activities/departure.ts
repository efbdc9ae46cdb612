import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DeedRecord } from '../deed/record.ts';
import type { RunningProgram } from '../dom0/access.ts';
import { dom0 } from '../dom0/dom0.ts';
import { isSealiftError, SealiftError } from '../domain/error.ts';
import type { TransferProgress } from '../domain/progress.ts';
import type { RunKey, Signed } from '../domain/statement.ts';
import type { HostCard } from '../domain/survey.ts';
import { sendMemory } from '../transport/memory-sender.ts';
import type { MemorySender } from '../transport/memory-sender.ts';
import { domainsOf, onlyDomain } from '../xen/gone.ts';
import { migrationMessages } from '../xen/migration-stream.ts';
import type { Domain } from '../xen/toolstack.ts';
import { xlFailed } from '../xen/xl-run.ts';
import type { Host } from './host.ts';
import { readNotes, updateNotes } from './notes.ts';
import type { RunNotes } from './notes.ts';
import { pullPlug } from './plug.ts';
import { beginSession, limitOf } from './transfer.ts';
import { ending } from './vm-turn.ts';

/** Where a guest's memory goes. */
export interface HandOver {
  key: Signed<RunKey>;
  destination: HostCard;
  limitBytesPerSecond?: number | undefined;
}

interface Guest {
  migrationId: string;
  record: DeedRecord;
  domain: Domain;
}

/** By which the processes are known that a guest's memory goes by, also to a worker that comes after this one. */
const variable = 'SEALIFT_DEPARTURE';
/** So long xl may take to let a guest go on when nobody talks to it any more, or a process that was killed to be gone. */
const endLimitMs = 120_000;

/**
 * Sends a guest's memory to the destination's landing while it runs, until it is suspended and all of it is there. `why` null: so it is; xl is stopped right
 * before it would hear of that, so that it lets the guest go on where it is when it is continued, whoever does it, since its pipes are closed. Else why
 * not, in a line: the guest runs on. `silentSince`: when it was asked to suspend, in ms of this host's clock. Throws what the connection ended with, 'xl-hangs'.
 */
export async function handMemoryOver(
  host: Host,
  guest: Guest,
  to: HandOver,
  { signal, onProgress }: { signal: AbortSignal; onProgress: (progress: TransferProgress) => void },
): Promise<{ why: string | null; silentSince: number | null }> {
  const { migrationId, record, domain } = guest;
  let silentSince: number | null = null;
  const { sender, session } = await connected(host, migrationId, to);
  noteDeparture(host, migrationId, { session, domid: domain.domid, state: 'sending' });
  let program: RunningProgram | null = null;
  try {
    program = await host.toolstack.send(domain, {
      env: { [variable]: `${record.lineage}/${String(session)}` },
      onLine: (line) => {
        if (line.includes(' suspend request')) silentSince ??= Date.now();
      },
    });
    program.stdin.write(migrationMessages.banner);
    const pace = new Pace(limitOf(host, readNotes(host.deeds, migrationId), to));
    const pumping = pump(program.stdout, sender, pace, () => {
      onProgress(progressOf(sender, pace));
    });
    await Promise.race([sender.arrived, pumping, failing(program), aborting(signal)]);
    await dom0().signal(await departing(record), 'SIGSTOP');
    if (!isHanded(await look(host, record), readNotes(host.deeds, migrationId)))
      throw new SealiftError('unknown-state', `the memory of ${record.vmName} has arrived, and it is not suspended`);
    noteDeparture(host, migrationId, { session, domid: domain.domid, state: 'handed' });
    return { why: null, silentSince };
  } catch (error) {
    program?.stdin.destroy();
    await letGoOn(record);
    noteDeparture(host, migrationId, null);
    if (!isSealiftError(error) || error.type !== 'xl-failed') throw error;
    return { why: `its memory could not be sent: ${error.message}`, silentSince: null };
  } finally {
    sender.close();
    program?.leave();
  }
}

/** Whether a domain is there that waits, suspended, for what becomes of its run: its memory is at the destination. */
export function isHanded(domain: Domain | null, { departure }: Pick<RunNotes, 'departure'>): boolean {
  return domain !== null && departure !== null && domain.domid === departure.domid && isSuspended(domain);
}

export function isSuspended({ state, shutdownReason }: Domain): boolean {
  return state === 'paused' && shutdownReason === 'suspend';
}

/** Lets xl let a guest go on that it had suspended, or was about to; returns when no process of a departure is left. Throws 'xl-hangs'. */
export async function letGoOn(record: DeedRecord): Promise<void> {
  await dom0().signal(await departing(record), 'SIGCONT');
  await untilNone(record);
}

/** Ends the processes by which a guest's memory went: it will not go on here any more. Throws 'xl-hangs'. */
export async function endDeparture(record: DeedRecord): Promise<void> {
  await dom0().signal(await departing(record), 'SIGKILL');
  await untilNone(record);
}

/** At the start of a VM at its source: a guest that waits there goes on where it was; else its memory is given up. Null where none had gone. */
export async function goOnHere(
  host: Host,
  migrationId: string,
  record: DeedRecord,
  env: Record<string, string>,
): Promise<'goes-on' | 'lost' | null> {
  if (readNotes(host.deeds, migrationId).departure === null) return null;
  await letGoOn(record);
  const domain = await look(host, record);
  const goesOn = domain !== null && !isSuspended(domain);
  if (domain !== null && !goesOn) await pullPlug(host, record, env);
  noteDeparture(host, migrationId, null);
  return goesOn ? 'goes-on' : 'lost';
}

/** Right before the deed leaves: the domain that only waits is destroyed, for its guest goes on elsewhere. One that is anything else is left alone. */
export async function leaveForGood(host: Host, migrationId: string): Promise<void> {
  const { record } = host.deeds.byMigration(migrationId);
  const notes = readNotes(host.deeds, migrationId);
  if (notes.departure === null) return;
  await endDeparture(record);
  if (!isHanded(await look(host, record), notes)) return;
  const { intent } = host.deeds.mayStop(migrationId, true);
  const end = await ending(host, intent, (env) => pullPlug(host, record, env));
  if (end !== 'gone') throw new SealiftError('disk-busy', `${record.vmName} was destroyed and is still dying`);
}

export function noteDeparture(host: Host, migrationId: string, departure: RunNotes['departure']): void {
  updateNotes(host.deeds, migrationId, { departure });
}

async function connected(
  host: Host,
  migrationId: string,
  { key, destination }: HandOver,
): Promise<{ sender: MemorySender; session: number }> {
  host.deeds.acceptKey(migrationId, key);
  const { record, run } = host.deeds.byMigration(migrationId);
  const { config } = readNotes(host.deeds, migrationId);
  if (config === null) throw new SealiftError('unknown-state', `no configuration of ${record.vmName} is kept`);
  const { session, keys } = await beginSession(host, run, key.body);
  const stallMs = host.file.limits.stall_seconds * 1_000;
  const sender = await sendMemory({ session, keys, landing: destination.landing, config, stallMs });
  return { sender, session: session.body.number };
}

/** Keeps to a limit in bytes a second; null is none. */
class Pace {
  readonly limit: number | null;
  readonly #beganAt = performance.now();
  #bytes = 0;

  constructor(limit: number | null) {
    this.limit = limit;
  }

  async turn(bytes: number): Promise<void> {
    this.#bytes += bytes;
    if (this.limit === null) return;
    const earlyMs = (this.#bytes / this.limit) * 1_000 - (performance.now() - this.#beganAt);
    if (earlyMs > 1) await sleep(earlyMs);
  }

  get bytesPerSecond(): number {
    return this.#bytes / Math.max(0.001, (performance.now() - this.#beganAt) / 1_000);
  }
}

/** Only ends by an error: at the end of what xl writes, it waits for a word. */
async function pump(from: Readable, sender: MemorySender, pace: Pace, onPiece: () => void): Promise<never> {
  for await (const piece of from as AsyncIterable<Buffer>) {
    await pace.turn(piece.length);
    await sender.send(piece);
    onPiece();
  }
  return new Promise(() => undefined);
}

async function failing(program: RunningProgram): Promise<never> {
  const { exitCode } = await program.ended;
  throw xlFailed('migrate', { exitCode, stdout: '', stderr: program.stderr() });
}

function aborting(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const abort = (): void => {
      reject(signal.reason instanceof Error ? signal.reason : new SealiftError('cancelled', 'it was aborted'));
    };
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
}

/** No byte of it is durable anywhere, so none is counted as such. */
function progressOf({ wireBytes }: MemorySender, { limit, bytesPerSecond }: Pace): TransferProgress {
  return {
    step: 'memory',
    disks: [],
    wireBytes,
    bytesPerSecond,
    streams: 1,
    retries: 0,
    paused: false,
    limitBytesPerSecond: limit,
    trouble: null,
  };
}

async function look(host: Host, { vmUuid }: DeedRecord): Promise<Domain | null> {
  return onlyDomain(await domainsOf(host.toolstack, { uuid: vmUuid }));
}

async function departing({ lineage }: DeedRecord): Promise<number[]> {
  const paths = await dom0().filesWith('/proc/[0-9]*/environ', `${variable}=${lineage}/`);
  return paths.map((path) => Number(path.split('/')[2]));
}

async function untilNone(record: DeedRecord): Promise<void> {
  const end = performance.now() + endLimitMs;
  while ((await departing(record)).length > 0) {
    if (performance.now() > end) throw new SealiftError('xl-hangs', `xl migrate of ${record.vmName} has not ended`);
    await sleep(50);
  }
}
