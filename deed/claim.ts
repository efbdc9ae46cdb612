import { randomUUID } from 'node:crypto';
import type { Claim, Signed } from '../domain/statement.ts';
import { findStatement, isKept, keepStatement } from './book.ts';
import { guard, recordOf, refused, refuseOtherHolder, runOfToken } from './desk.ts';
import type { Desk } from './desk.ts';
import { guardQuiet } from './intents.ts';
import { logEvent } from './log.ts';
import { allRuns, blankRecord, findRecord, findRecordOfVm, saveRecord, saveRun } from './record.ts';
import type { DeedRecord, DeedRun } from './record.ts';
import { checkStatement, claimOf } from './statement.ts';

/**
 * How far a claim's token lies above all that the claiming host knows: the host that is gone may have opened runs since. One that
 * opened more than so many refuses to heed the claim.
 */
export const claimStride = 1_000;

/** What a host may claim: the copy that it has, and the host that must be gone for good. */
export interface ClaimGround {
  record: DeedRecord;
  /** The run whose copy it is: a landing for which READY was signed, a ceded copy, or one that was given back. */
  copy: DeedRun;
  against: string;
  token: number;
}

/** A pinned operator: whose signature is asked for, and by which name the host's log calls him. */
export interface Operator {
  name: string;
  identity: string;
}

/** See `Deeds.claimGround`. */
export function claimGround(desk: Desk, lineage: string): ClaimGround {
  const record = recordOf(desk, lineage);
  const copy = wholeCopy(desk, record);
  if (copy.collected) throw refused('claim', 'the copy here was given free for removal');
  return { record, copy, against: copy.peer, token: record.token + claimStride };
}

/** The model's claimed failover. */
export function claimDeed(desk: Desk, shown: unknown, by: Operator): { record: DeedRecord; run: DeedRun } {
  const { lineage } = claimOf('claim', shown);
  const checked = checkStatement(shown, { kind: 'claim', from: by.identity, to: desk.identity.name, lineage });
  const { token, against } = checked.body;
  if (isKept(desk.sql, checked)) {
    const record = recordOf(desk, lineage);
    guard('claim', 'token', record.token, token);
    return { record, run: claimedRun(desk, lineage, token) };
  }
  const ground = claimGround(desk, lineage);
  guard('claim', 'vmUuid', checked.body.vmUuid, ground.record.vmUuid);
  guard('claim', 'against', against, ground.against);
  guard('claim', 'token', token, ground.token);
  guardQuiet(desk, 'claim', lineage, []);
  refuseOtherHolder(desk, 'claim', ground.record);
  const { record, copy } = ground;
  const back = copy.role === 'source';
  const rest = { runToken: 0, seenRoot: null, fencedToken: 0, wasRunning: null } as const;
  const places = copy.places ?? record.places;
  const holder: DeedRecord = { ...record, ...rest, token, state: 'holder', peer: back ? null : against, places };
  // The copy is in use from here on, by a run of the claim's own: as taken back at a source, as accepted at a destination.
  const state = back ? 'returned' : 'accepted';
  const run: DeedRun = {
    ...copy,
    migrationId: randomUUID(),
    token: back ? token - 1 : token,
    state,
    openedAt: new Date().toISOString(),
  };
  saveRecord(desk.sql, holder);
  saveRun(desk.sql, { ...copy, state });
  saveRun(desk.sql, run);
  keepStatement(desk.sql, checked);
  logClaim(desk, 'claim', checked.body, by);
  return { record: holder, run };
}

/**
 * The claim of a host that has lost its records, for the VM that it has: `from` is the host whose record tells lineage and token. The VM
 * cannot be given back to it: a copy without a record of its disks cannot be fenced. It goes there by a move, as to any other.
 */
export function claimAnew(desk: Desk, shown: unknown, by: Operator, from: string): DeedRecord {
  const { lineage } = claimOf('claim', shown);
  const checked = checkStatement(shown, { kind: 'claim', from: by.identity, to: desk.identity.name, lineage });
  const { token, vmUuid } = checked.body;
  const known = findRecord(desk.sql, lineage) ?? findRecordOfVm(desk.sql, vmUuid);
  if (known !== null && isKept(desk.sql, checked)) return known;
  if (known !== null) throw refused('claim', `this host has a record of it: ${known.state}, token ${known.token}`);
  const record: DeedRecord = { ...blankRecord(checked.body), token, state: 'holder' };
  saveRecord(desk.sql, record);
  saveRun(desk.sql, emptyRun({ lineage, token, role: 'destination', state: 'accepted', peer: from }));
  keepStatement(desk.sql, checked);
  logClaim(desk, 'claim', checked.body, by);
  return record;
}

/** The other side of a claim: this host's right is gone, whatever its record said. See `Deeds.heed`. */
export function heedClaim(desk: Desk, shown: unknown, by: Operator): { record: DeedRecord; news: boolean } {
  const { lineage } = claimOf('claim', shown);
  const checked = checkStatement(shown, { kind: 'claim', from: by.identity, lineage });
  const { token, against, to } = checked.body;
  const record = recordOf(desk, lineage);
  if (isKept(desk.sql, checked)) return { record, news: false };
  if (to === desk.identity.name) throw refused('heed', 'the claim is for this host itself');
  const awaits = record.state === 'ceded' || record.state === 'receiving' ? record.peer : null;
  if (against !== desk.identity.name) guard('heed', 'against', against, awaits);
  if (token <= record.token) {
    throw refused('heed', `token is ${String(token)}, needed more than ${String(record.token)}`);
  }
  // Not guarded by what is under way: the right is gone at once, and what a command does late is stopped after it.
  for (const run of allRuns(desk.sql, lineage)) {
    if (run.state === 'open') saveRun(desk.sql, { ...run, state: 'aborted' });
  }
  const had = record.state === 'holder' || record.state === 'ceded';
  const rest = { token, runToken: 0, seenRoot: null, fencedToken: 0, madeToken: 0, wasRunning: null } as const;
  const lost: DeedRecord = { ...record, ...rest, state: had ? 'ceded' : 'none', peer: had ? to : null };
  saveRecord(desk.sql, lost);
  // As if this host had ceded its copy: the holder's `finish` frees it, and the holder can give the VM back.
  if (had) {
    const { collected } = record.state === 'ceded' ? runOfToken(desk, lineage, record.token) : { collected: false };
    const run = emptyRun({ lineage, token, role: 'source', state: 'ceded', peer: to });
    saveRun(desk.sql, { ...run, places: record.places, collected });
  }
  keepStatement(desk.sql, checked);
  logClaim(desk, 'heed', checked.body, by);
  return { record: lost, news: true };
}

/** The claim by which this host holds, or lost, a VM at the record's token; null when it was no claim. */
export function presentClaim(desk: Desk, { lineage, token }: DeedRecord): Signed<Claim> | null {
  return findStatement(desk.sql, { kind: 'claim', lineage, token });
}

/** The one run whose copy here is whole, and whose right another host has or may have. */
function wholeCopy(desk: Desk, record: DeedRecord): DeedRun {
  const { lineage, token, state } = record;
  if (state === 'holder') throw refused('claim', `this host holds the deed already, token ${String(token)}`);
  if (state === 'ceded') return runOfToken(desk, lineage, token);
  if (state === 'receiving') {
    if (record.madeToken !== token) throw refused('claim', 'the copy here is not whole: READY was not signed for it');
    return runOfToken(desk, lineage, token);
  }
  const last = allRuns(desk.sql, lineage).find((run) => run.token === token - 1 && run.state === 'returned');
  if (last?.role !== 'destination') throw refused('claim', 'there is no copy here');
  return last;
}

function claimedRun(desk: Desk, lineage: string, token: number): DeedRun {
  const found = allRuns(desk.sql, lineage).find((run) => run.token === token || run.token === token - 1);
  return found ?? runOfToken(desk, lineage, token);
}

function emptyRun(of: Pick<DeedRun, 'lineage' | 'token' | 'role' | 'state' | 'peer'>): DeedRun {
  return {
    ...of,
    migrationId: randomUUID(),
    method: 'sealed',
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

function logClaim(desk: Desk, what: 'claim' | 'heed', body: Claim, { name, identity }: Operator): void {
  const { lineage, vmName, token, against, to, reason } = body;
  const detail = `${vmName}, token ${String(token)}, for ${to} against ${against}, signed by ${identity}: ${reason}`;
  logEvent(desk.sql, { who: name, what, lineage, detail });
}
