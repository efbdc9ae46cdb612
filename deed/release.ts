import { findOfMigration, recordOf, refused } from './desk.ts';
import type { Desk } from './desk.ts';
import { logEvent } from './log.ts';
import { allRuns, saveRecord, saveRun } from './record.ts';
import type { DeedRecord, DeedRun } from './record.ts';

/** Ends the hold: what was ceded from here is marked free for collection. The record does not change: the right is elsewhere. */
export function release(desk: Desk, lineage: string, by: string): DeedRun[] {
  const record = recordOf(desk, lineage);
  const ceded = allRuns(desk.sql, lineage).filter(({ role, state }) => role === 'source' && state === 'ceded');
  // a holder may release too: the VM came back by a newer run, to other disks than those that were ceded
  if (ceded.length === 0 || (record.state !== 'ceded' && record.state !== 'holder')) {
    throw refused('finish', `state is ${record.state}, and ${String(ceded.length)} of its runs are ceded`);
  }
  for (const run of ceded.filter(({ released }) => !released)) {
    saveRun(desk.sql, { ...run, released: true });
    logEvent(desk.sql, { who: by, what: 'finish', lineage, detail: `migration ${run.migrationId}` });
  }
  return ceded.map((run) => ({ ...run, released: true }));
}

/** May a run's copy be removed? The copy is given up by this transaction, whatever the removal does then. */
export function mayCollect(
  desk: Desk,
  migrationId: string,
  { by, evenReady = false }: { by: string; evenReady?: boolean },
): DeedRun {
  const { record, run } = findOfMigration(desk, migrationId);
  if (run.collected) return run;
  const why = run.role === 'source' ? whyKeepCeded(run) : whyKeepLanding(record, run, evenReady);
  if (why !== null) throw refused('collection', why);
  // a landing that is gone can never be accepted: as if READY had not been signed
  if (isWaiting(record, run)) saveRecord(desk.sql, { ...record, madeToken: 0 });
  const collected = { ...run, collected: true };
  saveRun(desk.sql, collected);
  logEvent(desk.sql, { who: by, what: 'collect', lineage: run.lineage, detail: `migration ${migrationId}` });
  return collected;
}

function whyKeepCeded({ state, released }: DeedRun): string | null {
  if (state !== 'ceded') return `the source's run is ${state}, so its disks are the VM's own`;
  return released ? null : 'the hold has not ended: finish it first';
}

function whyKeepLanding(record: DeedRecord, run: DeedRun, evenReady: boolean): string | null {
  if (run.state !== 'aborted' && run.state !== 'returned') return `the landing's run is ${run.state}`;
  if (isWaiting(record, run) && record.madeToken === run.token && !evenReady) {
    return 'READY was signed for it, so the source may have ceded: ask the source first';
  }
  return null;
}

/** Whether a deed for this very landing may still be accepted. */
function isWaiting(record: DeedRecord, run: DeedRun): boolean {
  return record.state === 'receiving' && record.token === run.token;
}
