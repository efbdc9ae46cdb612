import { randomBytes } from 'node:crypto';
import { SealiftError } from '../domain/error.ts';
import type { Method } from '../domain/names.ts';
import { protocolVersion } from '../domain/protocol.ts';
import type { Deed, Offer, Ready, Signed } from '../domain/statement.ts';
import { findStatement, keepStatement, kept } from './book.ts';
import { findOfMigration, guard, openRunOf, refuseClosed, refused, runInProgress } from './desk.ts';
import type { Desk } from './desk.ts';
import { guardQuiet } from './intents.ts';
import { logEvent } from './log.ts';
import { blankRecord, findRecordOfVm, findRun, isReturning, saveRecord, saveRun } from './record.ts';
import type { DeedRecord, DeedRun } from './record.ts';
import { checkStatement, signStatement } from './statement.ts';

export interface AdoptAsk {
  vmUuid: string;
  vmName: string;
  /** Who asked for it; logged. */
  by: string;
  /** Hosts that this person named to be passed over: they were not asked whether they have the VM. Logged. */
  withoutAsking?: string[];
}

export interface OpenAsk {
  migrationId: string;
  vmUuid: string;
  vmName: string;
  /** The destination's pinned identity. */
  to: string;
  method: Method;
  /** The migration whose open run this one takes the place of. */
  supersede?: string | undefined;
}

/** See `Deeds.adopt`. */
export function adopt({ sql }: Desk, { vmUuid, vmName, by, withoutAsking = [] }: AdoptAsk): DeedRecord {
  const known = findRecordOfVm(sql, vmUuid);
  if (known?.state === 'holder') return known;
  if (known !== null) {
    throw new SealiftError(
      'adoption-refused',
      `${vmName} has a record here already: ${known.state}, token ${String(known.token)}, peer ${String(known.peer)}`,
    );
  }
  const lineage = randomBytes(16).toString('hex');
  const record: DeedRecord = { ...blankRecord({ lineage, vmUuid, vmName }), token: 1, state: 'holder' };
  saveRecord(sql, record);
  const unasked = withoutAsking.length === 0 ? '' : ` without asking ${withoutAsking.join(', ')}`;
  logEvent(sql, { who: by, what: 'adopt', lineage: record.lineage, detail: `${vmName} ${vmUuid}${unasked}` });
  return record;
}

/** The model's Open. */
export function openRun(desk: Desk, ask: OpenAsk): Signed<Offer> {
  const known = findRun(desk.sql, ask.migrationId);
  if (known !== null) return openedOffer(desk, known, ask);
  refuseWithdrawn(desk, ask.migrationId);
  const record = findRecordOfVm(desk.sql, ask.vmUuid);
  if (record === null) throw new SealiftError('not-adopted', `${ask.vmName} has no deed record on this host`);
  guard('open', 'state', record.state, 'holder');
  if (ask.to === desk.identity.name) throw refused('open', 'the destination is the source');
  endOpenRun(desk, record, ask.supersede);
  const token = record.token + 1;
  saveRecord(desk.sql, { ...record, vmName: ask.vmName, token, runToken: token, seenRoot: null, fencedToken: 0 });
  saveRun(desk.sql, newRun(record.lineage, token, ask));
  const { migrationId, vmUuid, vmName, method, to } = ask;
  const common = { v: protocolVersion, lineage: record.lineage, from: desk.identity.name, to, token } as const;
  return kept(
    desk.sql,
    signStatement(desk.identity, { ...common, kind: 'offer', migrationId, vmUuid, vmName, method }),
  );
}

/** The model's NoteFenced. */
export function noteFenced(desk: Desk, migrationId: string): DeedRecord {
  const { record, run } = findOfMigration(desk, migrationId);
  if (run.role === 'source') refuseClosed('fence', run);
  guard('fence', 'run in progress', runInProgress(desk.sql, record)?.migrationId ?? null, migrationId);
  if (record.places === null) throw refused('fence', 'no fence was begun');
  guardQuiet(desk, 'fence', record.lineage, ['fence']);
  return savedRecord(desk, { ...record, fencedToken: record.runToken });
}

/** The model's Read. */
export function noteRead(desk: Desk, migrationId: string, root: string): DeedRecord {
  const { record } = openRunOf(desk, 'read', migrationId);
  guard('read', 'fenced for run', record.fencedToken, record.runToken);
  guardQuiet(desk, 'read', record.lineage, ['fence']);
  return savedRecord(desk, { ...record, seenRoot: root });
}

/** The model's Cede. */
export function cede(desk: Desk, migrationId: string, ready: unknown): Signed<Deed> {
  const { record, run, checked } = guardCede(desk, migrationId, ready);
  const { lineage, token, peer: to } = run;
  const from = desk.identity.name;
  const { root } = checked.body;
  if (run.state === 'ceded') return ownDeed(desk, lineage, token);
  keepStatement(desk.sql, checked);
  saveRun(desk.sql, { ...run, state: 'ceded', root, places: record.places });
  saveRecord(desk.sql, { ...record, state: 'ceded', runToken: 0, seenRoot: null, fencedToken: 0, peer: to });
  return kept(
    desk.sql,
    signStatement(desk.identity, { v: protocolVersion, lineage, from, to, token, kind: 'deed', root }),
  );
}

/** All that a cede asks of the record and of READY. */
export function guardCede(
  desk: Desk,
  migrationId: string,
  ready: unknown,
): { record: DeedRecord; run: DeedRun; checked: Signed<Ready> } {
  const { record, run } = findOfMigration(desk, migrationId);
  guard('cede', 'role', run.role, 'source');
  refuseClosed('cede', run);
  const { lineage, token, peer: to } = run;
  const from = desk.identity.name;
  const checked = checkStatement(ready, { kind: 'ready', from: to, to: from, lineage });
  guard('cede', 'token', checked.body.token, token);
  const { root } = checked.body;
  if (run.state === 'ceded') {
    guard('cede', 'root', root, run.root);
    return { record, run, checked };
  }
  guard('cede', 'state', record.state, 'holder');
  guard('cede', 'open run', record.runToken, token);
  guard('cede', 'fenced for run', record.fencedToken, token);
  guardQuiet(desk, 'cede', lineage, ['fence']);
  if (record.seenRoot === null) throw refused('cede', 'the source has not read its disks under the present fence');
  if (record.seenRoot !== root) {
    throw new SealiftError('manifest-mismatch', `cede refused: root is ${root}, the source read ${record.seenRoot}`);
  }
  return { record, run, checked };
}

/** The model's Abort at a source; an error that is to be thrown after the commit when there is no run. */
export function abortRun(desk: Desk, migrationId: string): DeedRecord | SealiftError {
  if (findRun(desk.sql, migrationId) === null) {
    const at = new Date().toISOString();
    desk.sql.prepare('INSERT OR IGNORE INTO deed_withdrawn (migration_id, at) VALUES (?, ?)').run(migrationId, at);
    return new SealiftError('unknown-run', `no run of migration ${migrationId}; it cannot be opened any more`);
  }
  const { record, run } = findOfMigration(desk, migrationId);
  guard('abort', 'role', run.role, 'source');
  if (run.state === 'aborted') return record;
  if (run.state !== 'open') {
    throw new SealiftError('abort-refused', `the run of migration ${migrationId} was ${run.state}`);
  }
  return endRun(desk, record, run);
}

/** The deed that this host signed for a token. */
export function ownDeed(desk: Desk, lineage: string, token: number): Signed<Deed> {
  const found = findStatement(desk.sql, { kind: 'deed', lineage, token, from: desk.identity.name });
  if (found === null) throw new SealiftError('unknown-state', `the deed of token ${String(token)} is not kept`);
  return found;
}

/** A repeated open: the same offer for the same move. */
function openedOffer(desk: Desk, run: DeedRun, ask: OpenAsk): Signed<Offer> {
  guard('open', 'role', run.role, 'source');
  const { lineage, token } = run;
  const offer = findStatement(desk.sql, { kind: 'offer', lineage, token, from: desk.identity.name });
  if (offer === null) throw new SealiftError('unknown-state', `the offer of migration ${run.migrationId} is not kept`);
  for (const field of ['vmUuid', 'to', 'method'] as const) guard('open', field, ask[field], offer.body[field]);
  refuseClosed('open', run);
  return offer;
}

function refuseWithdrawn(desk: Desk, migrationId: string): void {
  if (desk.sql.prepare('SELECT 1 FROM deed_withdrawn WHERE migration_id = ?').get(migrationId) === undefined) return;
  throw new SealiftError('run-closed', `open refused: migration ${migrationId} was aborted before it was opened`);
}

/** Ends the run in progress when the new one names it. */
function endOpenRun(desk: Desk, record: DeedRecord, supersede: string | undefined): void {
  const open = runInProgress(desk.sql, record);
  if (open === null) return;
  if (open.migrationId !== supersede) {
    throw new SealiftError('run-open', `${record.vmName} has an open run for migration ${open.migrationId}`, {
      hint: `abort it, or supersede it by name: --supersede ${open.migrationId}`,
    });
  }
  endRun(desk, record, open);
}

function endRun(desk: Desk, record: DeedRecord, run: DeedRun): DeedRecord {
  // a destination's run whose return is given up stays what it was: accepted
  if (!isReturning(record)) saveRun(desk.sql, { ...run, state: 'aborted' });
  return savedRecord(desk, { ...record, runToken: 0, seenRoot: null, fencedToken: 0 });
}

function newRun(lineage: string, token: number, { migrationId, to, method }: OpenAsk): DeedRun {
  return {
    migrationId,
    lineage,
    token,
    role: 'source',
    state: 'open',
    method,
    peer: to,
    wasRunning: null,
    places: null,
    session: 0,
    root: null,
    released: false,
    collected: false,
    notes: null,
    openedAt: new Date().toISOString(),
  };
}

function savedRecord(desk: Desk, record: DeedRecord): DeedRecord {
  saveRecord(desk.sql, record);
  return record;
}
