import { SealiftError } from '../domain/error.ts';
import { protocolVersion } from '../domain/protocol.ts';
import type { Deed, Signed } from '../domain/statement.ts';
import { findStatement, isKept, keepStatement } from './book.ts';
import { findOfMigration, guard, recordOf, refuseClaimed, refused, refuseOtherHolder } from './desk.ts';
import { refuseOvertaken, runOfToken } from './desk.ts';
import type { Desk } from './desk.ts';
import { guardQuiet } from './intents.ts';
import { findRunOfToken, isReturning, saveRecord, saveRun } from './record.ts';
import type { DeedRecord, DeedRun } from './record.ts';
import { ownDeed } from './source.ts';
import { checkStatement, claimOf, signStatement } from './statement.ts';

/** The model's Return. Throws 'revert-refused' when the VM did not come from `to` by its present token. */
export function beginReturn(
  desk: Desk,
  lineage: string,
  to: string,
  deed: unknown,
): { record: DeedRecord; run: DeedRun } {
  const record = recordOf(desk, lineage);
  if (record.state !== 'holder' && record.state !== 'receiving') {
    throw revertRefused(`this host's record says ${record.state}`);
  }
  if (record.peer !== to) throw revertRefused(`it came from ${record.peer ?? 'nowhere'}, not from ${to}`);
  const run = findRunOfToken(desk.sql, lineage, record.token);
  if (run?.role !== 'destination') {
    throw revertRefused(`a run was opened since it came, so token ${String(record.token)} is this host's own`);
  }
  if (isReturning(record)) return { record, run };
  guard('return', 'open run', record.runToken, 0);
  keepCeded(desk, record, deed);
  const returning: DeedRecord = { ...record, runToken: record.token + 1, seenRoot: null, fencedToken: 0 };
  saveRecord(desk.sql, returning);
  return { record: returning, run };
}

/**
 * The run that was ceded from here and may come back, with its deed: a holder-to-be that never got it needs it for a return.
 * Throws 'revert-refused' when nothing is ceded, or the hold was ended: the copy may be gone.
 */
export function heldRun(desk: Desk, lineage: string): { run: DeedRun; deed: Signed<Deed> } {
  const record = recordOf(desk, lineage);
  if (record.state !== 'ceded') throw revertRefused(`the record of the host that it would go to says ${record.state}`);
  const run = runOfToken(desk, lineage, record.token);
  if (run.released) throw revertRefused('the copy that it would go back to was released by finish');
  if (run.collected) throw revertRefused('the copy that it would go back to was removed');
  if (run.root === null) throw revertRefused("it went by an operator's claim: sealift deed give-back brings it back");
  return { run, deed: ownDeed(desk, lineage, record.token) };
}

/** The run that has come back and whose VM was not set up since, with the deed by which it had gone; null when it is none. */
export function runAside(desk: Desk, lineage: string): { run: DeedRun; deed: Signed<Deed> } | null {
  const { token, state, runToken, places } = recordOf(desk, lineage);
  if (state !== 'holder' || runToken !== 0 || places === null) return null;
  const run = findRunOfToken(desk.sql, lineage, token - 1);
  if (run?.role !== 'source' || run.state !== 'returned') return null;
  return { run, deed: ownDeed(desk, lineage, run.token) };
}

/** The model's Abort at a destination: the return is given up. */
export function abortReturn(desk: Desk, migrationId: string): DeedRecord {
  const { record, run } = findOfMigration(desk, migrationId);
  guard('abort', 'role', run.role, 'destination');
  if (run.state === 'returned')
    throw new SealiftError('abort-refused', `the VM of migration ${migrationId} was given back`);
  if (run.token !== record.token || !isReturning(record)) return record;
  const stays: DeedRecord = { ...record, runToken: 0, seenRoot: null, fencedToken: 0 };
  saveRecord(desk.sql, stays);
  return stays;
}

/** The model's GiveBack. */
export function giveBack(desk: Desk, migrationId: string): Signed<Deed> {
  const { record, run } = findOfMigration(desk, migrationId);
  guard('give back', 'role', run.role, 'destination');
  const { lineage } = run;
  const token = run.token + 1;
  if (run.state === 'returned') return ownDeed(desk, lineage, token);
  guard('give back', 'token', record.token, run.token);
  guard('give back', 'run on its way back', record.runToken, token);
  guard('give back', 'fenced for run', record.fencedToken, token);
  guardQuiet(desk, 'give back', lineage, ['fence']);
  if (record.state !== 'holder' && record.state !== 'receiving') throw refused('give back', `state is ${record.state}`);
  const from = desk.identity.name;
  const body = { v: protocolVersion, lineage, from, to: run.peer, token, kind: 'deed', root: null } as const;
  const deed = signStatement(desk.identity, body);
  saveRun(desk.sql, { ...run, state: 'returned', places: record.places });
  saveRecord(desk.sql, { ...record, token, state: 'none', runToken: 0, seenRoot: null, fencedToken: 0 });
  keepStatement(desk.sql, deed);
  return deed;
}

/** The model's TakeBack. */
export function takeBack(desk: Desk, deed: unknown): { record: DeedRecord; run: DeedRun } {
  const { lineage, token } = claimOf('deed', deed);
  const record = recordOf(desk, lineage);
  const run = runOfToken(desk, lineage, token - 1);
  guard('take back', 'role', run.role, 'source');
  const checked = checkStatement(deed, { kind: 'deed', from: run.peer, to: desk.identity.name, lineage, token });
  const taken = record.state === 'holder' && record.token === token && run.state === 'returned';
  if (taken && isKept(desk.sql, checked)) return { record, run };
  refuseClaimed(desk, 'take back', checked.body);
  refuseOvertaken('take back', record, run);
  guard('take back', 'state', record.state, 'ceded');
  guard('take back', 'peer', record.peer, run.peer);
  guard('take back', 'token', token, record.token + 1);
  guard('take back', 'root', checked.body.root, null);
  if (run.collected) throw refused('take back', 'the copy here was given free for removal');
  refuseOtherHolder(desk, 'take back', record);
  const holder: DeedRecord = { ...record, token, state: 'holder', peer: null, places: run.places };
  const returned: DeedRun = { ...run, state: 'returned' };
  saveRecord(desk.sql, holder);
  saveRun(desk.sql, returned);
  keepStatement(desk.sql, checked);
  return { record: holder, run: returned };
}

/** Only what was ceded here, or claimed, may go back: the source's deed is kept already, or shown now. */
function keepCeded(desk: Desk, { lineage, token, peer }: DeedRecord, deed: unknown): void {
  const to = desk.identity.name;
  if (peer === null) throw revertRefused('it came from nowhere');
  const shown = deed === undefined ? null : claimOf('deed', deed).token;
  // an order for an earlier crossing, or from before a claim, late
  if (shown !== null && shown !== token)
    throw revertRefused(`the deed shown is of token ${String(shown)}, it came by token ${String(token)}`);
  if (findStatement(desk.sql, { kind: 'claim', lineage, token, to }) !== null) return;
  if (findStatement(desk.sql, { kind: 'deed', lineage, token, from: peer, to }) !== null) return;
  if (deed === undefined) throw revertRefused(`no deed of token ${String(token)} was given to this host`);
  keepStatement(desk.sql, checkStatement(deed, { kind: 'deed', from: peer, to, lineage, token }));
}

function revertRefused(why: string): SealiftError {
  return new SealiftError('revert-refused', `the VM cannot go back: ${why}`);
}
