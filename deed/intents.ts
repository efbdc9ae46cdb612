import type { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { SealiftError } from '../domain/error.ts';
import {
  findOfMigration,
  guard,
  overtaken,
  recordOf,
  refuseClaimed,
  refuseClosed,
  refused,
  runInProgress,
} from './desk.ts';
import type { Desk } from './desk.ts';
import type { FencePlaces } from './places.ts';
import { findRunOfToken, isCurrent, isReturning, saveRecord, saveRun } from './record.ts';
import type { DeedRecord } from './record.ts';

const intent = z.strictObject({
  id: z.int(),
  lineage: z.string(),
  what: z.enum(['fence', 'unfence', 'start', 'stop', 'arrive']),
  /** The record's token when it was begun. */
  token: z.int(),
  at: z.string(),
});
/** A command on a VM's domain or storage that was about to be launched, and may still take effect. */
export type Intent = z.infer<typeof intent>;

/** May the run's domain be stopped? Keeps the power state found first, which an abort or the destination restores. */
export function mayStop(desk: Desk, migrationId: string, running: boolean): { intent: Intent; wasRunning: boolean } {
  const { record } = inProgress(desk, 'stop', migrationId);
  const { run } = findOfMigration(desk, migrationId);
  // a stop that is repeated, or that follows an abort which had not restarted the domain yet, finds it stopped by us
  const wasRunning = running || (record.wasRunning ?? false);
  const begun = beginIntent(desk, record, 'stop');
  saveRecord(desk.sql, { ...record, wasRunning });
  saveRun(desk.sql, { ...run, wasRunning });
  return { intent: begun, wasRunning };
}

/**
 * May the copy be fenced? Once a fence was begun its places stay: what it moved away cannot be found any more. A fence that is not
 * `intact` is forgotten before it is put on again, with the reading made under it: a crash in between must leave no trust in either.
 */
export function mayFence(
  desk: Desk,
  migrationId: string,
  found: FencePlaces,
  intact: boolean,
): { intent: Intent; places: FencePlaces } {
  const { record } = inProgress(desk, 'fence', migrationId);
  const places = record.places ?? found;
  const begun = beginIntent(desk, record, 'fence');
  const trusted = intact ? record : { ...record, fencedToken: 0, seenRoot: null };
  saveRecord(desk.sql, { ...trusted, places });
  return { intent: begun, places };
}

/** May the fence be taken off? The model's Unfence. From here on a start is owed, or none, as the host that the VM came back to is told. */
export function mayUnfence(
  desk: Desk,
  migrationId: string,
  start: boolean,
): { intent: Intent; places: FencePlaces | null } {
  const record = idleHolder(desk, 'unfence', migrationId);
  const begun = beginIntent(desk, record, 'unfence');
  const { role } = findOfMigration(desk, migrationId).run;
  if (role === 'source' || !start) saveRecord(desk.sql, { ...record, wasRunning: start ? true : null });
  return { intent: begun, places: record.places };
}

/** May the domain be started? */
export function mayStart(desk: Desk, migrationId: string): Intent {
  return beginIntent(desk, idleHolder(desk, 'start', migrationId), 'start');
}

/** May the domain of a run's guest come with its memory, to be paused? Only before READY. */
export function mayArrive(desk: Desk, migrationId: string): Intent {
  const { record, run } = findOfMigration(desk, migrationId);
  guard('arrive', 'role', run.role, 'destination');
  refuseClosed('arrive', run);
  guard('arrive', 'state', record.state, 'receiving');
  guard('arrive', 'token', run.token, record.token);
  if (record.madeToken === run.token) throw refused('arrive', `READY was signed for token ${String(run.token)}`);
  return beginIntent(desk, record, 'arrive');
}

/** May a domain that came with its memory, and never ran, be destroyed? Only at a host that has no right to run it. */
export function mayDropArrival(desk: Desk, lineage: string): Intent {
  const record = recordOf(desk, lineage);
  if (record.state !== 'none') guard('drop', 'state', record.state, 'receiving');
  return beginIntent(desk, record, 'arrive');
}

/**
 * May a copy that has no right to run be stopped and fenced? Always, while nothing else is under way: a host that heeds a claim
 * has lost the right before it acts.
 */
export function mayQuell(
  desk: Desk,
  lineage: string,
  what: 'stop' | 'fence',
  found: FencePlaces,
): { intent: Intent; places: FencePlaces } {
  const record = recordOf(desk, lineage);
  guard(what, 'state', record.state, 'ceded');
  const places = record.places ?? found;
  const begun = beginIntent(desk, record, what);
  const run = findRunOfToken(desk.sql, lineage, record.token);
  saveRecord(desk.sql, { ...record, places });
  if (run !== null) saveRun(desk.sql, { ...run, places });
  return { intent: begun, places };
}

/** Ends an intent; one that is not there any more has been ended. */
export function endIntent(desk: Desk, id: number, done: boolean): void {
  const ended = intentsWhere(desk.sql, 'id = ?', id)[0];
  if (ended === undefined) return;
  desk.sql.prepare('DELETE FROM deed_intent WHERE id = ?').run(id);
  if (!done) return;
  const record = recordOf(desk, ended.lineage);
  if (ended.what === 'unfence') saveRecord(desk.sql, { ...record, places: null });
  if (ended.what === 'start') saveRecord(desk.sql, { ...record, wasRunning: null });
}

/** All open intents, or those of a lineage. */
export function openIntents(sql: DatabaseSync, lineage: string | null): Intent[] {
  return intentsWhere(sql, '?1 IS NULL OR lineage = ?1', lineage);
}

/**
 * Throws 'intent-open' while a command other than of the kinds in `besides` may still take effect: the model's Quiet, as far as
 * the host can know it from its own records.
 */
export function guardQuiet(desk: Desk, step: string, lineage: string, besides: Intent['what'][]): void {
  const other = openIntents(desk.sql, lineage).find(({ what }) => !besides.includes(what));
  if (other === undefined) return;
  throw new SealiftError(
    'intent-open',
    `${step} has to wait: the VM's ${other.what} begun at ${other.at} has not ended`,
  );
}

/** The record of a run that is open as source, or on its way back. */
function inProgress(desk: Desk, step: string, migrationId: string): { record: DeedRecord } {
  const { record, run } = findOfMigration(desk, migrationId);
  if (run.role === 'source') refuseClosed(step, run);
  guard(step, 'run in progress', runInProgress(desk.sql, record)?.migrationId ?? null, migrationId);
  if (!isReturning(record)) guard(step, 'state', record.state, 'holder');
  return { record };
}

/** The holder's record with no run open, asked by the run that it holds by: a step of an older run comes too late. */
function idleHolder(desk: Desk, step: string, migrationId: string): DeedRecord {
  const { record, run } = findOfMigration(desk, migrationId);
  if (!isCurrent(record, run)) {
    refuseClaimed(desk, step, run);
    throw overtaken(step, record, run);
  }
  guard(step, 'state', record.state, 'holder');
  guard(step, 'open run', record.runToken, 0);
  return record;
}

function beginIntent(desk: Desk, record: DeedRecord, what: Intent['what']): Intent {
  guardQuiet(desk, what, record.lineage, [what]);
  const at = new Date().toISOString();
  const { lastInsertRowid } = desk.sql
    .prepare('INSERT INTO deed_intent (lineage, what, token, at) VALUES (?, ?, ?, ?)')
    .run(record.lineage, what, record.token, at);
  return { id: Number(lastInsertRowid), lineage: record.lineage, what, token: record.token, at };
}

function intentsWhere(sql: DatabaseSync, where: string, value: string | number | null): Intent[] {
  return sql
    .prepare(`SELECT id, lineage, what, token, at FROM deed_intent WHERE ${where} ORDER BY id`)
    .all(value)
    .map((found) => intent.parse(found));
}
