import { basename, join } from 'node:path';
import { dom0 } from '../dom0/dom0.ts';
import { errorCode, notThere } from '../dom0/system-errors.ts';
import { isSealiftError, SealiftError } from '../domain/error.ts';
import { unfence } from '../deed/fence.ts';
import { checkMarks, markOf } from '../deed/marks.ts';
import type { DeedRecord } from '../deed/record.ts';
import { writeFileDurably } from '../storage/durable-file.ts';
import type { ReachedLun } from '../storage/lun.ts';
import { readMark } from '../storage/mark.ts';
import { lookAround } from '../xen/dom0.ts';
import { awaitGone, domainsOf, onlyDomain } from '../xen/gone.ts';
import type { Domain } from '../xen/toolstack.ts';
import type { Host } from './host.ts';
import type { Transfer } from './jobs.ts';
import { isWaiting } from './arrival.ts';
import { consoleLogs } from './console.ts';
import {
  endDeparture,
  forgetDeparture,
  handMemoryOver,
  isHanded,
  isSuspended,
  letGoOn,
  noteDeparture,
} from './departure.ts';
import type { HandOver } from './departure.ts';
import { readNotes, updateNotes } from './notes.ts';
import type { RunNotes } from './notes.ts';
import { giveMemoryUp, imageOf, withoutLostImage } from './memory-image.ts';
import { holdLuns, noteTaken } from './held-luns.ts';
import { noteSaved, saveGuest } from './save.ts';
import { pullPlug } from './plug.ts';
import { refuseChanged } from './unchanged.ts';
import { ending, inTurn } from './vm-turn.ts';
import { wakeVm } from './wake.ts';

/**
 * Orders the run's guest to shut down and waits until its domain is gone; saves it, where its memory is to be kept, or hands its memory over, where the method
 * is `live`: then its domain waits, suspended; `onBegin` is given what goes. `stuck`: it is still there, or came back by a reboot, after `graceMs`, or could not be saved or
 * sent. A domain that shut down but is kept by its configuration is destroyed: nothing is lost.
 * Throws `vm-changed`, before it orders anything.
 */
export async function stopVm(
  host: Host,
  ask: StopAsk,
  signal: AbortSignal,
  onBegin: Attended['onBegin'] = () => undefined,
): Promise<Stopped> {
  const attended = { signal, onBegin };
  const { record, run } = host.deeds.byMigration(ask.migrationId);
  if (run.state === 'ceded' || run.state === 'returned') {
    return { outcome: 'stopped', wasRunning: run.wasRunning ?? false, detail: `the run is ${run.state}` };
  }
  return inTurn(host, record.lineage, async () => {
    await endEarlierDeparture(host, ask.migrationId);
    const { vms, domains } = await lookAround(host.dom0, host.toolstack);
    const before = domains.filter(({ uuid }) => uuid === record.vmUuid);
    const domain = onlyDomain(before);
    if (domain !== null && isComingBack(domain, readNotes(host.deeds, ask.migrationId))) {
      return { outcome: 'stuck', wasRunning: true, detail: 'it is being started again' };
    }
    if (isHanded(domain, readNotes(host.deeds, ask.migrationId))) return handed(host, ask.migrationId);
    await refuseChanged(host, ask.migrationId, vms);
    const running = domain !== null;
    const { intent, wasRunning } = host.deeds.mayStop(ask.migrationId, running);
    const saves = run.role === 'source' && imageOf(readNotes(host.deeds, ask.migrationId)) !== undefined;
    const { end, why, taken } = await ending(host, intent, async (env): Promise<Ended> => {
      if (!running) return { end: 'gone', taken: true };
      // It came with its memory, and was never let run: it must not be now.
      if (run.role === 'destination' && isWaiting(domain))
        return { end: await pullPlug(host, record, env), taken: true };
      if (ask.handOver !== undefined && hasMemory(domain))
        return sendAway(host, { ...ask, record, domain }, ask.handOver, env, attended);
      if (saves && hasMemory(domain)) return saveAway(host, { ...ask, record, domain }, env, signal);
      const until = new Date(Date.now() + ask.graceMs).toISOString();
      updateNotes(host.deeds, ask.migrationId, { ordered: { domid: domain.domid, until } });
      const taken = await orderShutdown(host, domain, env);
      const gone = await awaitGone(host.toolstack, { uuid: record.vmUuid, before }, { limitMs: ask.graceMs, signal });
      return { end: gone === 'kept' ? await pullPlug(host, record, env) : gone, taken };
    });
    if (end === 'handed') return handed(host, ask.migrationId);
    if (end === 'gone') return { outcome: 'stopped', wasRunning, detail: running ? 'shut down' : 'was not running' };
    let detail = why ?? `it has not shut down after ${String(ask.graceMs / 1_000)} s`;
    if (end === 'rebooted') detail = 'it rebooted instead of halting';
    else if (!taken) detail = 'it does not take the order to shut down';
    return { outcome: 'stuck', wasRunning, detail };
  });
}

export interface StopAsk {
  migrationId: string;
  graceMs: number;
  /** `live`: the guest is not shut down, its memory goes there. */
  handOver?: HandOver | undefined;
}

export interface Stopped {
  outcome: 'stopped' | 'stuck';
  wasRunning: boolean;
  detail: string;
  /** `live`: for how long the guest has been suspended, and what its memory took on the wire. */
  silentMs?: number;
  wireBytes?: number;
}

interface Attended {
  signal: AbortSignal;
  onBegin: (transfer: Transfer) => void;
}

/** Pulls the plug of the run's guest, by a person's choice; logged. */
export async function destroyVm(host: Host, { migrationId, by }: { migrationId: string; by: string }): Promise<void> {
  const { record } = host.deeds.byMigration(migrationId);
  await inTurn(host, record.lineage, async () => {
    const running = (await domainsOf(host.toolstack, { uuid: record.vmUuid })).length > 0;
    const { intent } = host.deeds.mayStop(migrationId, running);
    await endDeparture(record);
    const end = await ending(host, intent, (env) => pullPlug(host, record, env));
    noteDeparture(host, migrationId, null);
    host.deeds.log({
      who: by,
      what: 'destroy',
      lineage: record.lineage,
      detail: `migration ${migrationId}`,
    });
    if (end !== 'gone') throw new SealiftError('disk-busy', `${record.vmName} was destroyed and is still dying`);
  });
}

/**
 * Only at the holder, with no run open, and for the run that it holds by: takes the fence off, writes the configuration where
 * none is, restores autostart, and when `start` is asked starts the domain, paused first to see that it is ours. May be run
 * again at any point. Throws `run-closed` when a later run has come after this one.
 */
export async function startVm(
  host: Host,
  ask: { migrationId: string; start: boolean },
): Promise<{ started: boolean; changes: string[]; memory?: 'kept' | 'lost' }> {
  const { lineage } = host.deeds.byMigration(ask.migrationId).record;
  const notes = readNotes(host.deeds, ask.migrationId);
  const memory = await inTurn(host, lineage, async () => {
    const unfencing = host.deeds.mayUnfence(ask.migrationId, ask.start);
    const { record, run } = host.deeds.byMigration(ask.migrationId);
    const configPath = await ending(host, unfencing.intent, async (env) => {
      let taken: ReachedLun[] = [];
      await checkOwnMarks(record, notes);
      if (unfencing.places !== null) {
        const claimed = host.deeds.presentClaim(record) !== null;
        const places = await withoutLostImage(unfencing.places);
        taken = await unfence(places, markOf(record, 'source'), { env, claimed });
        noteTaken(host, unfencing.places.luns, record.lineage);
      }
      await holdLuns(host, record, notes.luns, { env, taken });
      return define(host, record, notes, run.role === 'destination');
    });
    if (!ask.start) {
      if (notes.departure !== null) await letGoOn(record);
      return giveMemoryUp(host, ask.migrationId, notes);
    }
    const starting = host.deeds.mayStart(ask.migrationId);
    return ending(host, starting, async (env) => {
      const ordered = await awaitOrdered(host, record, notes);
      if (notes.consoles === null)
        updateNotes(host.deeds, ask.migrationId, {
          consoles: await consoleLogs(host.file.xen.consoles, record.vmName),
        });
      const became = await wakeVm(host, { ...ask, record, configPath }, env);
      const startedAt = notes.startedAt ?? new Date().toISOString();
      updateNotes(host.deeds, ask.migrationId, { ordered, startedAt });
      return became;
    });
  });
  return { started: ask.start, changes: notes.changes, ...(memory === undefined ? {} : { memory }) };
}

type Environment = Record<string, string>;

/** How a guest that was to stop is now; `handed`: suspended, with all its memory at the destination. */
interface Ended {
  end: Awaited<ReturnType<typeof awaitGone>> | 'handed';
  why?: string;
  /** Whether it took the order. */
  taken: boolean;
}

function handed(host: Host, migrationId: string): Stopped {
  const { departure } = readNotes(host.deeds, migrationId);
  const silentMs = Math.max(0, Date.now() - Date.parse(departure?.silentSince ?? new Date().toISOString()));
  const { wireBytes = 0 } = departure ?? {};
  return { outcome: 'stopped', wasRunning: true, detail: 'its memory is at the destination', silentMs, wireBytes };
}

/** A hand-over that was cut short, as by the death of a worker: its guest goes on before it is looked at. */
async function endEarlierDeparture(host: Host, migrationId: string): Promise<void> {
  const { record } = host.deeds.byMigration(migrationId);
  if (host.deeds.inProgress(record.lineage)?.migrationId !== migrationId) return;
  if (readNotes(host.deeds, migrationId).departure?.state !== 'sending') return;
  await letGoOn(record);
  await forgetDeparture(host, migrationId);
}

/** Whether xl is building a domain in the place of the one that was ordered to shut down: it may have no disks yet. */
function isComingBack({ domid, state, cpuSeconds }: Domain, { ordered }: RunNotes): boolean {
  return ordered !== null && ordered.domid !== domid && state === 'paused' && cpuSeconds === 0;
}

/** False when xl refuses the order twice: a guest that hangs, or has no drivers for it, does not acknowledge it. */
async function orderShutdown(host: Host, domain: Domain, env: Environment): Promise<boolean> {
  // It is on its way.
  if (domain.state === 'dying') return true;
  // A paused guest cannot obey.
  if (domain.state === 'paused') await host.toolstack.unpause(domain, { env });
  for (let attempt = 1; attempt <= 2; attempt += 1) {
    try {
      await host.toolstack.shutdown(domain, { env });
      return true;
    } catch (error) {
      if (!isSealiftError(error) || error.type !== 'xl-failed') throw error;
      host.log.warn({ vm: domain.name, message: error.message }, 'the order to shut down was refused');
    }
  }
  return false;
}

/** Not so a guest that is down, or going down: its memory is lost. */
function hasMemory({ state }: Domain): boolean {
  return state === 'running' || state === 'paused';
}

/** Sends the guest's memory away; then it waits, suspended. */
async function sendAway(
  host: Host,
  guest: { migrationId: string; record: DeedRecord; domain: Domain },
  to: HandOver,
  env: Environment,
  attended: Attended,
): Promise<Ended> {
  const { domain } = guest;
  if (isSuspended(domain)) {
    const why = 'an earlier hand-over of it was cut short, and it cannot go on from there';
    return { end: 'stuck', why, taken: true };
  }
  // A paused guest cannot suspend.
  if (domain.state === 'paused') await host.toolstack.unpause(domain, { env });
  const { why } = await handMemoryOver(host, guest, to, attended);
  return why === null ? { end: 'handed', taken: true } : { end: 'stuck', why, taken: true };
}

/** Ends the guest by a save: its domain goes only when its image is durable. */
async function saveAway(
  host: Host,
  guest: { migrationId: string; record: DeedRecord; domain: Domain },
  env: Environment,
  signal: AbortSignal,
): Promise<Ended> {
  const why = await saveGuest(host, guest, env);
  if (why !== null) return { end: 'stuck', why, taken: true };
  // Nobody waits any more: the abort finds it paused, and lets it go on.
  signal.throwIfAborted();
  const end = await pullPlug(host, guest.record, env);
  if (end === 'gone') await noteSaved(host, guest.migrationId);
  return { end, taken: true };
}

/**
 * An order to shut down cannot be taken back: a guest that obeys it would be found running, and be off a moment later. Gives the
 * order when its time is over and it may still be obeyed.
 */
async function awaitOrdered(host: Host, { vmUuid }: DeedRecord, { ordered }: RunNotes): Promise<RunNotes['ordered']> {
  if (ordered === null) return null;
  const before = await domainsOf(host.toolstack, { uuid: vmUuid });
  if (!before.some(({ domid }) => domid === ordered.domid)) return null;
  const limitMs = Math.max(0, Date.parse(ordered.until) - Date.now());
  const end = await awaitGone(host.toolstack, { uuid: vmUuid, before }, { limitMs });
  return end === 'stuck' ? ordered : null;
}

/** A database that was restored from a copy must not undo a later fence. Throws `unknown-state`. */
async function checkOwnMarks(record: DeedRecord, notes: RunNotes): Promise<void> {
  const disks = record.places?.disks ?? notes.disks;
  checkMarks(record, await Promise.all(disks.map(readMark)));
}

/** The configuration's file; written, durably and with its autostart link, where the VM has none yet. */
async function define(host: Host, record: DeedRecord, notes: RunNotes, here: boolean): Promise<string> {
  if (notes.configPath !== null && !here) return notes.configPath;
  if (notes.config === null) throw new SealiftError('unknown-state', `no configuration of ${record.vmName} is kept`);
  const path = join(host.dom0.etcFolder, `${record.vmName}.cfg`);
  const found = (await dom0().readFile(path).catch(notThere))?.toString('utf8') ?? null;
  if (found !== null && found !== notes.config) {
    throw new SealiftError('name-taken', `${path} is there already, and is another configuration`);
  }
  if (found === null) await writeFileDurably(dom0(), path, notes.config, 0o600);
  if (notes.autostart) {
    await dom0().mkdir(host.dom0.autoFolder, { mode: 0o755, recursive: true });
    await dom0()
      .symlink(path, join(host.dom0.autoFolder, basename(path)))
      .catch((error: unknown) => {
        if (errorCode(error) !== 'EEXIST') throw error;
      });
  }
  return path;
}
