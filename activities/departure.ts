import { setTimeout as sleep } from 'node:timers/promises';
import type { DeedRecord } from '../deed/record.ts';
import { dom0 } from '../dom0/dom0.ts';
import { notThere } from '../dom0/system-errors.ts';
import { SealiftError } from '../domain/error.ts';
import type { RunKey, Signed } from '../domain/statement.ts';
import type { HostCard } from '../domain/survey.ts';
import { sendMemory } from '../transport/memory-sender.ts';
import type { MemorySender } from '../transport/memory-sender.ts';
import { domainsOf, onlyDomain } from '../xen/gone.ts';
import type { Domain } from '../xen/toolstack.ts';
import type { Host } from './host.ts';
import { MemoryTransfer } from './memory-transfer.ts';
import type { Sent } from './memory-transfer.ts';
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
const stopLimitMs = 5_000;

/**
 * Sends a guest's memory to the destination's landing while it runs, until it is suspended and all of it is there. `why` null: so it is; xl is stopped right
 * before it would hear of that, so that it lets the guest go on where it is when it is continued, whoever does it, since its pipes are closed. Else why
 * not, in a line: the guest runs on. Throws what the connection ended with, what the destination refuses with, 'cancelled', 'xl-hangs'.
 */
export async function handMemoryOver(
  host: Host,
  guest: Guest,
  to: HandOver,
  { signal, onBegin }: { signal: AbortSignal; onBegin: (transfer: MemoryTransfer) => void },
): Promise<{ why: string | null }> {
  const { migrationId, record, domain } = guest;
  const { sender, session } = await connected(host, migrationId, to, signal);
  const departure = { session, domid: domain.domid, silentSince: null, wireBytes: 0 };
  try {
    noteOfOpenRun(host, migrationId, { ...departure, state: 'sending' });
  } catch (error) {
    sender.close();
    throw error;
  }
  const notes = readNotes(host.deeds, migrationId);
  const transfer = new MemoryTransfer(sender, {
    begin: (onLine) =>
      host.toolstack.send(domain, { env: { [variable]: `${record.lineage}/${String(session)}` }, onLine }),
    limit: limitOf(host, notes, to),
    paused: notes.steer.paused,
    attend: async ({ silentSince, wireBytes }) => {
      await stopDeparture(record);
      const now = await look(host, record);
      if (now?.domid !== domain.domid || !isSuspended(now))
        throw new SealiftError('xl-failed', `the memory of ${record.vmName} has arrived, and it is not suspended`);
      noteOfOpenRun(host, migrationId, { ...departure, silentSince, wireBytes, state: 'handed' });
    },
    giveUp: async () => {
      // One that has lost the right meanwhile lets it go on no more.
      if (host.deeds.byMigration(migrationId).record.state === 'holder') await letGoOn(record);
      else await endDeparture(record);
      await forgetDeparture(host, migrationId);
    },
  });
  onBegin(transfer);
  const stop = (): void => void transfer.stop();
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    return await host.jobs.attend<MemoryTransfer, Sent>(
      migrationId,
      () => Promise.resolve(transfer),
      () => transfer.sent,
    );
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** Whether a domain is there that waits, suspended, for what becomes of its run: its memory is at the destination. */
export function isHanded(domain: Domain | null, { departure }: Pick<RunNotes, 'departure'>): boolean {
  if (domain === null || departure === null || departure.state === 'sending') return false;
  return domain.domid === departure.domid && isSuspended(domain);
}

export function isSuspended({ state, shutdownReason }: Domain): boolean {
  return state === 'paused' && shutdownReason === 'suspend';
}

/** Lets xl let a guest go on that it had suspended, or was about to; returns when no process of a departure is left. Throws 'xl-hangs'. */
export async function letGoOn(record: DeedRecord): Promise<void> {
  await dom0().signal(await departing(record), 'SIGCONT');
  await untilNone(record);
}

/** Its guest went on, or is gone: nothing that has crossed counts. Of one that is suspended for good the note stays, for it has to be destroyed. */
export async function forgetDeparture(host: Host, migrationId: string): Promise<void> {
  const domain = await look(host, host.deeds.byMigration(migrationId).record);
  if (domain === null || !isSuspended(domain)) noteDeparture(host, migrationId, null);
}

/** Ends the processes by which a guest's memory went: it will not go on here any more. Throws 'xl-hangs'. */
export async function endDeparture(record: DeedRecord): Promise<void> {
  await dom0().signal(await departing(record), 'SIGKILL');
  await untilNone(record);
}

/**
 * At the start of a VM: a guest that waits here since its memory has gone goes on where it was; one that was suspended, and cannot, is destroyed. Null where there is
 * none.
 */
export async function goOnHere(
  host: Host,
  migrationId: string,
  record: DeedRecord,
  env: Record<string, string>,
): Promise<'goes-on' | 'lost' | null> {
  if (host.deeds.byMigration(migrationId).run.role === 'destination') return null;
  if (readNotes(host.deeds, migrationId).departure === null) return null;
  await letGoOn(record);
  const domain = await look(host, record);
  const goesOn = domain !== null && !isSuspended(domain) && (domain.state === 'running' || domain.state === 'paused');
  if (goesOn) await host.toolstack.unpause(domain, { env });
  else if (domain !== null && isSuspended(domain)) await pullPlug(host, record, env);
  noteDeparture(host, migrationId, null);
  return goesOn ? 'goes-on' : 'lost';
}

/** Right before the deed leaves: the domain that only waits is destroyed, for its guest goes on elsewhere. One that is anything else is left alone. */
export async function leaveForGood(host: Host, migrationId: string): Promise<void> {
  const { record } = host.deeds.byMigration(migrationId);
  const notes = readNotes(host.deeds, migrationId);
  const { intent } = host.deeds.mayStop(migrationId, true);
  const end = await ending(host, intent, async (env) => {
    await endDeparture(record);
    return isHanded(await look(host, record), notes) ? pullPlug(host, record, env) : 'gone';
  });
  if (end !== 'gone') throw new SealiftError('disk-busy', `${record.vmName} was destroyed and is still dying`);
}

export function noteDeparture(host: Host, migrationId: string, departure: RunNotes['departure']): void {
  updateNotes(host.deeds, migrationId, { departure });
}

/** In one transaction with a look whether the run is open still. Throws 'run-closed'. */
function noteOfOpenRun(host: Host, migrationId: string, departure: RunNotes['departure']): void {
  host.state.database.transaction(() => {
    const { record, run } = host.deeds.byMigration(migrationId);
    if (host.deeds.inProgress(record.lineage)?.migrationId !== migrationId)
      throw new SealiftError('run-closed', `the run of ${record.vmName} is ${run.state}`);
    noteDeparture(host, migrationId, departure);
  });
}

async function connected(
  host: Host,
  migrationId: string,
  { key, destination }: HandOver,
  signal: AbortSignal,
): Promise<{ sender: MemorySender; session: number }> {
  host.deeds.acceptKey(migrationId, key);
  const { record, run } = host.deeds.byMigration(migrationId);
  const { config } = readNotes(host.deeds, migrationId);
  if (config === null) throw new SealiftError('unknown-state', `no configuration of ${record.vmName} is kept`);
  const { session, keys } = await beginSession(host, run, key.body);
  const stallMs = host.file.limits.stall_seconds * 1_000;
  const sender = await sendMemory({ session, keys, landing: destination.landing, config, stallMs, signal });
  return { sender, session: session.body.number };
}

async function look(host: Host, { vmUuid }: DeedRecord): Promise<Domain | null> {
  return onlyDomain(await domainsOf(host.toolstack, { uuid: vmUuid }));
}

/** Throws 'xl-hangs' unless all of them stand still. */
async function stopDeparture(record: DeedRecord): Promise<void> {
  const pids = await departing(record);
  await dom0().signal(pids, 'SIGSTOP');
  for (const end = performance.now() + stopLimitMs; ;) {
    const states = await Promise.all(
      pids.map((pid) =>
        dom0()
          .readFile(`/proc/${String(pid)}/status`)
          .catch(notThere),
      ),
    );
    if (pids.length > 0 && states.every((text) => text !== null && /^State:\s+T/m.test(text.toString('latin1'))))
      return;
    if (performance.now() > end)
      throw new SealiftError('xl-hangs', `xl migrate of ${record.vmName} does not stand still`);
    await sleep(50);
  }
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
