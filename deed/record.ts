import type { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { SealiftError } from '../domain/error.ts';
import { digest, identity, lineage, method, migrationId, token, vmName, vmUuid } from '../domain/names.ts';
import { deedState } from '../domain/survey.ts';
import { canonicalJson } from '../seal/canonical.ts';
import { fencePlaces } from './places.ts';

/** A host's record of one VM: the right to run it, and how far it is on the way from or to another host. */
export const deedRecord = z.strictObject({
  lineage,
  vmUuid,
  vmName,
  /** The newest token that this host has signed, promised or accepted. */
  token,
  state: deedState,
  /** As source: the open run's token. On the way back (`isReturning`): `token + 1`. 0 when neither. */
  runToken: z.int().min(0),
  /** Identity of the host that the VM was received from, or ceded to; null when neither. */
  peer: identity.nullable(),
  /** The root that this source computed from its own reads under the present run and fence. */
  seenRoot: digest.nullable(),
  /** `runToken` once the fence was proven for it, 0 before. */
  fencedToken: z.int().min(0),
  /** Token of the run whose bytes this host's landing holds complete: READY is signed, no byte may come any more. */
  madeToken: z.int().min(0),
  /** Where the copy lies that is fenced, or being fenced; null while no fence is on it. */
  places: fencePlaces.nullable(),
  /** The power state found by the stop, until it was restored; null when nothing was stopped. */
  wasRunning: z.boolean().nullable(),
});
export type DeedRecord = z.infer<typeof deedRecord>;

/** One side of one run, at the host that keeps it. */
export const deedRun = z.strictObject({
  migrationId,
  lineage,
  token,
  role: z.enum(['source', 'destination']),
  /** As `RunState.run` of the activities: decides what may follow. A destination's run that is on its way back is still `open` or `accepted`. */
  state: z.enum(['open', 'aborted', 'ceded', 'accepted', 'returned']),
  method,
  /** Identity of the other side. */
  peer: identity,
  wasRunning: z.boolean().nullable(),
  /** The copy of this run on this host: the source's as it was ceded, or the landing's. */
  places: fencePlaces.nullable(),
  /** Source: number of the last session begun. Destination: the highest seen. */
  session: z.int().min(0),
  /** READY's root: signed here as destination, ceded upon as source. */
  root: digest.nullable(),
  /** Source: the hold has ended (`finish`). */
  released: z.boolean(),
  /** The copy was given free for removal. */
  collected: z.boolean(),
  /** Whatever the host's steps want to keep with the run; not looked at here. */
  notes: z.unknown(),
  openedAt: z.iso.datetime(),
});
export type DeedRun = z.infer<typeof deedRun>;

/** The record of a VM that this host has never had anything to do with. */
export function blankRecord({
  lineage,
  vmUuid,
  vmName,
}: Pick<DeedRecord, 'lineage' | 'vmUuid' | 'vmName'>): DeedRecord {
  return {
    lineage,
    vmUuid,
    vmName,
    token: 0,
    state: 'none',
    runToken: 0,
    peer: null,
    seenRoot: null,
    fencedToken: 0,
    madeToken: 0,
    places: null,
    wasRunning: null,
  };
}

/** Whether the record is on its way back to its peer: a return was begun and neither given back nor aborted. */
export function isReturning(record: DeedRecord): boolean {
  return record.runToken === record.token + 1;
}

/**
 * Whether a run is the one by which the record has, or had last, the right: the run of its token, or the one whose deed came
 * back as that token. What was decided in any other run is over.
 */
export function isCurrent(record: DeedRecord, run: DeedRun): boolean {
  const cameBack = run.role === 'source' && run.state === 'returned';
  return record.token === (cameBack ? run.token + 1 : run.token);
}

/**
 * Whether the VM is this host's by the end of `last`, its last run, by an abort or by a return, and that end was cut short: the
 * fence was not taken off, or the guest that had been stopped was not started again.
 */
export function isCutShort(record: DeedRecord, last: DeedRun | undefined): boolean {
  if (record.state !== 'holder' || record.runToken !== 0 || last === undefined) return false;
  const ended = last.state === 'aborted' || last.state === 'returned';
  // what came here is stopped only to go back; one that has not been set up since it came owes that to its move
  const stayed = last.state === 'accepted' && record.wasRunning !== null;
  if (last.role === 'source' ? !ended : !stayed) return false;
  return record.places !== null || record.wasRunning === true;
}

/** The record of a lineage; null when this host never had one. */
export function findRecord(sql: DatabaseSync, ofLineage: string): DeedRecord | null {
  return recordOf(sql.prepare('SELECT * FROM deed_record WHERE lineage = ?').get(ofLineage));
}

/** All records, the last changed first. */
export function allRecords(sql: DatabaseSync): DeedRecord[] {
  return present(sql.prepare('SELECT * FROM deed_record ORDER BY changed DESC').all().map(recordOf));
}

/** The record that counts for a VM: the holder's, else one on its way here, else the last changed. */
export function findRecordOfVm(sql: DatabaseSync, uuid: string): DeedRecord | null {
  const rank = `CASE state WHEN 'holder' THEN 0 WHEN 'receiving' THEN 1 WHEN 'ceded' THEN 2 ELSE 3 END`;
  return recordOf(
    sql.prepare(`SELECT * FROM deed_record WHERE vm_uuid = ? ORDER BY ${rank}, changed DESC LIMIT 1`).get(uuid),
  );
}

export function saveRecord(sql: DatabaseSync, record: DeedRecord): void {
  sql
    .prepare(
      `INSERT INTO deed_record (lineage, vm_uuid, vm_name, token, state, run_token, peer, seen_root, fenced_token,
         made_token, places, was_running, changed)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, (SELECT coalesce(max(changed), 0) + 1 FROM deed_record))
       ON CONFLICT (lineage) DO UPDATE SET vm_uuid = excluded.vm_uuid, vm_name = excluded.vm_name,
         token = excluded.token, state = excluded.state, run_token = excluded.run_token, peer = excluded.peer,
         seen_root = excluded.seen_root, fenced_token = excluded.fenced_token, made_token = excluded.made_token,
         places = excluded.places, was_running = excluded.was_running, changed = excluded.changed`,
    )
    .run(
      record.lineage,
      record.vmUuid,
      record.vmName,
      record.token,
      record.state,
      record.runToken,
      record.peer,
      record.seenRoot,
      record.fencedToken,
      record.madeToken,
      json(record.places),
      flag(record.wasRunning),
    );
}

/** The run that a migration has at this host; null when it has none. */
export function findRun(sql: DatabaseSync, ofMigration: string): DeedRun | null {
  return runOf(sql.prepare('SELECT * FROM deed_run WHERE migration_id = ?').get(ofMigration));
}

/** The run of a token, at most one: a host gives or takes each token once. */
export function findRunOfToken(sql: DatabaseSync, ofLineage: string, ofToken: number): DeedRun | null {
  return runOf(sql.prepare('SELECT * FROM deed_run WHERE lineage = ? AND token = ?').get(ofLineage, ofToken));
}

/** All runs, or those of a lineage, by token. */
export function allRuns(sql: DatabaseSync, ofLineage: string | null): DeedRun[] {
  const rows =
    ofLineage === null
      ? sql.prepare('SELECT * FROM deed_run ORDER BY lineage, token').all()
      : sql.prepare('SELECT * FROM deed_run WHERE lineage = ? ORDER BY token').all(ofLineage);
  return present(rows.map(runOf));
}

/** The runs of all VMs that are open here, by token. */
export function openRuns(sql: DatabaseSync): DeedRun[] {
  return present(sql.prepare(`SELECT * FROM deed_run WHERE state = 'open' ORDER BY lineage, token`).all().map(runOf));
}

export function saveRun(sql: DatabaseSync, run: DeedRun): void {
  sql
    .prepare(
      `INSERT INTO deed_run (migration_id, lineage, token, role, state, method, peer, was_running, places, session,
         root, released, collected, notes, opened_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (migration_id) DO UPDATE SET state = excluded.state, was_running = excluded.was_running,
         places = excluded.places, session = excluded.session, root = excluded.root, released = excluded.released,
         collected = excluded.collected, notes = excluded.notes`,
    )
    .run(
      run.migrationId,
      run.lineage,
      run.token,
      run.role,
      run.state,
      run.method,
      run.peer,
      flag(run.wasRunning),
      json(run.places),
      run.session,
      run.root,
      flag(run.released),
      flag(run.collected),
      canonicalJson(run.notes),
      run.openedAt,
    );
}

type Row = Record<string, unknown>;

function recordOf(row: Row | undefined): DeedRecord | null {
  if (row === undefined) return null;
  return parsed(deedRecord, {
    lineage: row.lineage,
    vmUuid: row.vm_uuid,
    vmName: row.vm_name,
    token: row.token,
    state: row.state,
    runToken: row.run_token,
    peer: row.peer,
    seenRoot: row.seen_root,
    fencedToken: row.fenced_token,
    madeToken: row.made_token,
    places: unJson(row.places),
    wasRunning: unFlag(row.was_running),
  });
}

function runOf(row: Row | undefined): DeedRun | null {
  if (row === undefined) return null;
  return parsed(deedRun, {
    migrationId: row.migration_id,
    lineage: row.lineage,
    token: row.token,
    role: row.role,
    state: row.state,
    method: row.method,
    peer: row.peer,
    wasRunning: unFlag(row.was_running),
    places: unJson(row.places),
    session: row.session,
    root: row.root,
    released: unFlag(row.released),
    collected: unFlag(row.collected),
    notes: unJson(row.notes),
    openedAt: row.opened_at,
  });
}

function parsed<T>(schema: z.ZodType<T>, row: Row): T {
  const result = schema.safeParse(row);
  if (result.success) return result.data;
  const fields = result.error.issues.map((issue) => issue.path.join('.')).join(', ');
  throw new SealiftError('unknown-state', `the record of ${String(row.lineage)} does not parse: ${fields}`);
}

function present<T>(items: (T | null)[]): T[] {
  return items.filter((item) => item !== null);
}

function json(value: unknown): string | null {
  return value === null ? null : canonicalJson(value);
}

function unJson(text: unknown): unknown {
  return typeof text === 'string' ? JSON.parse(text) : null;
}

function flag(value: boolean | null): number | null {
  return value === null ? null : Number(value);
}

function unFlag(value: unknown): boolean | null {
  return value === null ? null : value === 1;
}
