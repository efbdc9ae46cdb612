import { setTimeout as sleep } from 'node:timers/promises';
import { isCurrent } from '../deed/record.ts';
import type { DeedRecord } from '../deed/record.ts';
import { awaitGone, domainsOf } from '../xen/gone.ts';
import { isUnknownRun } from './edge.ts';
import type { Host } from './host.ts';
import { findNotes, updateNotes } from './notes.ts';
import type { RunNotes } from './notes.ts';
import type { RunState } from './port.ts';
import { startVm } from './power.ts';
import { runState } from './run.ts';
import { lowerRunTunnel } from './tunnel.ts';
import { inTurn } from './vm-turn.ts';

/** How long, after its time was over, a guest is watched that was ordered to shut down and has not. */
const lateLimitMs = 900_000;
const lookMs = 1_000;
const failedPauseMs = 10_000;
/** Of one run; older ones are long over. */
const mostWithdrawn = 8;

/**
 * Ends the run before its cede, and brings the VM back to the power state that was found; a guest that was ordered to shut
 * down is given its time for it first, and when it obeys later still, it is started again then. At a host that has the VM on
 * its way back, gives that return up, and takes none from the workflow run `orderedBy` any more. Throws `abort-refused` after the cede.
 */
export async function abortRun(
  host: Host,
  migrationId: string,
  orderedBy?: string,
): Promise<RunState & { restarted: boolean }> {
  try {
    const { run } = host.deeds.byMigration(migrationId);
    if (run.role === 'destination') {
      if (orderedBy !== undefined) withdrawReturn(host, migrationId, orderedBy);
      host.deeds.abortReturn(migrationId);
    }
    // what came back is this host's own again: only its start may have been cut short
    else if (run.state !== 'returned') await abortAtSource(host, migrationId);
  } catch (error) {
    // Withdraws the migration for good, so that an open that comes late is refused.
    if (isUnknownRun(error)) host.deeds.abort(migrationId);
    throw error;
  }
  await host.jobs.stop(migrationId);
  await lowerRunTunnel(host, migrationId);
  // an abort that comes again, late, finds the VM in the hands of a later run
  const ours = isOurs(host, migrationId);
  const { record } = host.deeds.byMigration(migrationId);
  const start = ours && record.wasRunning === true;
  if (ours && (start || record.places !== null)) {
    await startVm(host, { migrationId, start });
  }
  if (start) void watchOrdered(host, migrationId);
  return { ...(await runState(host, migrationId)), restarted: start };
}

/** While a guest only waits for its cede, a cede that is under way is let end first: it may have destroyed it already. */
async function abortAtSource(host: Host, migrationId: string): Promise<void> {
  const { record } = host.deeds.byMigration(migrationId);
  const abort = (): Promise<DeedRecord> => Promise.resolve(host.deeds.abort(migrationId));
  if (findNotes(host.deeds, migrationId)?.departure?.state === 'fenced') await inTurn(host, record.lineage, abort);
  else await abort();
}

/** A return that this workflow began and a slow worker takes up after its abort would stay open: nobody would end it. */
function withdrawReturn(host: Host, migrationId: string, orderedBy: string): void {
  const withdrawn = findNotes(host.deeds, migrationId)?.withdrawn;
  if (withdrawn === undefined || withdrawn.includes(orderedBy)) return;
  updateNotes(host.deeds, migrationId, { withdrawn: [...withdrawn.slice(1 - mostWithdrawn), orderedBy] });
}

/** Goes on watching guests that had not obeyed when their runs were aborted: Xen cannot take an order to shut down back. */
export function watchLateGuests(host: Host): void {
  for (const record of host.deeds.records()) {
    const run = host.deeds.runs(record.lineage).find((one) => isCurrent(record, one));
    if (run?.wasRunning === true) void watchOrdered(host, run.migrationId);
  }
}

/** Starts the run's guest again when it goes down by an order that was given before the abort. Never throws. */
async function watchOrdered(host: Host, migrationId: string): Promise<void> {
  const { signal } = host.leaving;
  while (!signal.aborted) {
    try {
      const ordered = outstanding(host, migrationId);
      if (ordered === null) return;
      const { record } = host.deeds.byMigration(migrationId);
      const vm = { uuid: record.vmUuid };
      const domains = await domainsOf(host.toolstack, vm);
      const before = domains.filter(({ domid }) => domid === ordered.domid);
      const end = await awaitGone(host.toolstack, { ...vm, before }, { limitMs: lookMs, signal });
      if (end === 'stuck') continue;
      if (end === 'gone') {
        await startVm(host, { migrationId, start: true });
        host.log.warn({ vm: record.vmName, migrationId }, 'the guest shut down after the abort, and was started again');
      }
      updateNotes(host.deeds, migrationId, { ordered: null });
    } catch (error) {
      if (host.leaving.signal.aborted) return;
      host.log.warn({ migrationId, err: error }, 'a guest that may still shut down cannot be looked at');
      await sleep(failedPauseMs, undefined, { signal }).catch(() => undefined);
    }
  }
}

/** The order that the run's guest may still obey; null when there is none, it was obeyed, or the VM is in other hands. */
function outstanding(host: Host, migrationId: string): RunNotes['ordered'] {
  const ordered = findNotes(host.deeds, migrationId)?.ordered ?? null;
  // A run that was ceded, and came back, had no domain left.
  if (ordered === null || host.deeds.byMigration(migrationId).run.state === 'returned') return null;
  if (!isOurs(host, migrationId)) return null;
  return Date.now() > Date.parse(ordered.until) + lateLimitMs ? null : ordered;
}

function isOurs(host: Host, migrationId: string): boolean {
  const { record, run } = host.deeds.byMigration(migrationId);
  return record.state === 'holder' && record.runToken === 0 && isCurrent(record, run);
}
