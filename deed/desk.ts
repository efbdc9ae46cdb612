import type { DatabaseSync } from 'node:sqlite';
import { SealiftError } from '../domain/error.ts';
import type { Identity } from './identity.ts';
import { findRecord, findRun, findRunOfToken, isCurrent } from './record.ts';
import type { DeedRecord, DeedRun } from './record.ts';

/** What an action works with: the database inside of its transaction, and the identity that signs. */
export interface Desk {
  sql: DatabaseSync;
  identity: Identity;
}

/** Throws 'deed-refused' unless `is` equals `needed`; the message names the step, the guard and both values. */
export function guard<T extends string | number | boolean | null>(step: string, name: string, is: T, needed: T): void {
  if (is !== needed) throw refused(step, `${name} is ${String(is)}, needed ${String(needed)}`);
}

export function refused(step: string, why: string): SealiftError {
  return new SealiftError('deed-refused', `${step} refused: ${why}`);
}

/** The record of a lineage. Throws 'not-adopted'. */
export function recordOf(desk: Desk, lineage: string): DeedRecord {
  const record = findRecord(desk.sql, lineage);
  if (record === null) throw new SealiftError('not-adopted', `no record of lineage ${lineage}`);
  return record;
}

/** The run of a migration and its record. Throws 'unknown-run'. */
export function findOfMigration(desk: Desk, migrationId: string): { record: DeedRecord; run: DeedRun } {
  const run = findRun(desk.sql, migrationId);
  if (run === null) throw new SealiftError('unknown-run', `no run of migration ${migrationId}`);
  return { record: recordOf(desk, run.lineage), run };
}

/** The run of a record's token as which it was opened or received. Throws 'unknown-run'. */
export function runOfToken(desk: Desk, lineage: string, token: number): DeedRun {
  const run = findRunOfToken(desk.sql, lineage, token);
  if (run === null) throw new SealiftError('unknown-run', `no run of token ${String(token)} of lineage ${lineage}`);
  return run;
}

/** The run that is open as source, or on its way back. In both cases it was opened or received under the record's token. */
export function runInProgress(sql: DatabaseSync, record: DeedRecord): DeedRun | null {
  return record.runToken === 0 ? null : findRunOfToken(sql, record.lineage, record.token);
}

/** Throws 'run-closed' for a run that was aborted, superseded or returned. */
export function refuseClosed(step: string, run: DeedRun): void {
  if (run.state !== 'aborted' && run.state !== 'returned') return;
  throw new SealiftError('run-closed', `${step} refused: the run of migration ${run.migrationId} was ${run.state}`);
}

/** Throws 'run-closed' when the VM has gone on since this run's deed was taken: a repetition comes too late. */
export function refuseOvertaken(step: string, record: DeedRecord, run: DeedRun): void {
  const isTaken = run.state === 'accepted' || run.state === 'returned';
  if (isTaken && !isCurrent(record, run)) throw overtaken(step, record, run);
}

/** What a step of a run is told after which another one was opened, or came. */
export function overtaken(step: string, { token, vmName }: DeedRecord, run: DeedRun): SealiftError {
  const tokens = `had token ${String(run.token)}, the record is at ${String(token)}`;
  return new SealiftError('run-closed', `${step} refused: migration ${run.migrationId} ${tokens}`, {
    hint: `somebody has moved ${vmName} on since: sealift list`,
  });
}

/** Throws 'claimed' when an operator's claim that is newer than the token was made or heeded here: what went by that token is over. */
export function refuseClaimed(desk: Desk, step: string, { lineage, token }: { lineage: string; token: number }): void {
  const newer = desk.sql
    .prepare(`SELECT token FROM deed_statement WHERE lineage = ? AND kind = 'claim' AND token > ?`)
    .get(lineage, token);
  if (newer === undefined) return;
  const claimed = `an operator claimed it by token ${String(newer.token)}, after token ${String(token)}`;
  throw new SealiftError('claimed', `${step} refused: ${claimed}`);
}

/** Two records of one uuid, by two lineages, must not both hold: xl could not tell their domains apart. Throws 'name-taken'. */
export function refuseOtherHolder(desk: Desk, step: string, record: Pick<DeedRecord, 'lineage' | 'vmUuid'>): void {
  const other = desk.sql
    .prepare(`SELECT lineage FROM deed_record WHERE vm_uuid = ? AND lineage <> ? AND state = 'holder'`)
    .get(record.vmUuid, record.lineage);
  if (other === undefined) return;
  const holder = String(other.lineage);
  throw new SealiftError(
    'name-taken',
    `${step} refused: this host holds another VM of uuid ${record.vmUuid}, lineage ${holder}`,
  );
}

/** A source's run that is open now. */
export function openRunOf(desk: Desk, step: string, migrationId: string): { record: DeedRecord; run: DeedRun } {
  const { record, run } = findOfMigration(desk, migrationId);
  guard(step, 'role', run.role, 'source');
  refuseClosed(step, run);
  guard(step, 'state', record.state, 'holder');
  guard(step, 'open run', record.runToken, run.token);
  return { record, run };
}
