import { SealiftError } from '../domain/error.ts';
import { protocolVersion } from '../domain/protocol.ts';
import type { Offer, Ready, RunKey, Session, Signed } from '../domain/statement.ts';
import { findStatement, isKept, keepStatement } from './book.ts';
import { findOfMigration, guard, refuseClaimed, refuseClosed, refused, refuseOtherHolder } from './desk.ts';
import { refuseOvertaken, runOfToken } from './desk.ts';
import type { Desk } from './desk.ts';
import { guardQuiet } from './intents.ts';
import type { FencePlaces } from './places.ts';
import { allRuns, blankRecord, findRecord, findRun, saveRecord, saveRun } from './record.ts';
import type { DeedRecord, DeedRun } from './record.ts';
import { checkStatement, claimOf, signStatement } from './statement.ts';

export interface ReceiveAsk {
  /** Whatever was given as the source's offer. */
  offer: unknown;
  /** The source's pinned identity. */
  from: string;
  /** The age recipient of a new key pair whose secret the caller keeps already. */
  recipient: string;
  /** Where the landing's disks will lie; fenced until the accept. */
  places: FencePlaces;
}

/** The model's Receive. */
export function receiveRun(desk: Desk, { offer, from, recipient, places }: ReceiveAsk): Signed<RunKey> {
  const checked = checkStatement(offer, { kind: 'offer', from, to: desk.identity.name });
  const { body } = checked;
  const known = findRun(desk.sql, body.migrationId);
  if (known !== null) return receivedKey(desk, known, checked);
  const record = findRecord(desk.sql, body.lineage) ?? blankRecord(body);
  guardReceivable(desk, record, body);
  for (const older of allRuns(desk.sql, body.lineage)) {
    if (older.role === 'destination' && older.state === 'open') saveRun(desk.sql, { ...older, state: 'aborted' });
  }
  const { token, vmName } = body;
  const common = { vmName, token, state: 'receiving', peer: from, places } as const;
  saveRecord(desk.sql, { ...record, ...common, runToken: 0, seenRoot: null, fencedToken: 0, wasRunning: null });
  saveRun(desk.sql, receivedRun(body, places));
  keepStatement(desk.sql, checked);
  const key = { v: protocolVersion, lineage: body.lineage, from: desk.identity.name, to: from, token } as const;
  const signed = signStatement(desk.identity, { ...key, kind: 'key', recipient });
  keepStatement(desk.sql, signed);
  return signed;
}

/** Where the disks of a landing lie, now that they are made: a volume has no uuid before. The record's only while it is about this run. */
export function placeLanding(desk: Desk, migrationId: string, disks: FencePlaces['disks']): void {
  const { record, run } = findOfMigration(desk, migrationId);
  guard('place', 'role', run.role, 'destination');
  if (run.places === null) throw refused('place', 'the run has no places');
  saveRun(desk.sql, { ...run, places: { ...run.places, disks } });
  if (record.state !== 'receiving' || record.token !== run.token || record.places === null) return;
  saveRecord(desk.sql, { ...record, places: { ...record.places, disks } });
}

/** A connection's first frame: which run does it belong to, and may it write? */
export function acceptSession(
  desk: Desk,
  session: unknown,
): { record: DeedRecord; run: DeedRun; session: Signed<Session> } {
  const { lineage, token } = claimOf('session', session);
  const run = runOfToken(desk, lineage, token);
  const { record } = findOfMigration(desk, run.migrationId);
  guard('session', 'role', run.role, 'destination');
  const me = desk.identity.name;
  const checked = checkStatement(session, { kind: 'session', from: run.peer, to: me, lineage, token });
  refuseClosed('session', run);
  guard('session', 'state', record.state, 'receiving');
  guard('session', 'token', token, record.token);
  if (record.madeToken === token) throw refused('session', `READY was signed for token ${String(token)}`);
  const key = findStatement(desk.sql, { kind: 'key', lineage, token, from: me });
  guard('session', 'recipient', checked.body.recipient, key?.body.recipient ?? null);
  const { number } = checked.body;
  if (number < run.session) {
    throw new SealiftError('stale-session', `session ${String(number)} of the run, ${String(run.session)} was seen`);
  }
  if (number === run.session && !isKept(desk.sql, checked)) {
    throw refused('session', `another session ${String(number)} of the run was seen`);
  }
  const seen = { ...run, session: number };
  saveRun(desk.sql, seen);
  keepStatement(desk.sql, checked);
  return { record, run: seen, session: checked };
}

/** The model's Ready. */
export function signReady(desk: Desk, migrationId: string, root: string): Signed<Ready> {
  const { record, run } = findOfMigration(desk, migrationId);
  guard('ready', 'role', run.role, 'destination');
  const { lineage, token, peer: to } = run;
  const from = desk.identity.name;
  const signed = findStatement(desk.sql, { kind: 'ready', lineage, token, from });
  if (signed !== null) {
    guard('ready', 'root', root, signed.body.root);
    return signed;
  }
  refuseClosed('ready', run);
  guard('ready', 'state', record.state, 'receiving');
  guard('ready', 'token', token, record.token);
  const ready = signStatement(desk.identity, { v: protocolVersion, lineage, from, to, token, kind: 'ready', root });
  keepStatement(desk.sql, ready);
  saveRun(desk.sql, { ...run, root });
  saveRecord(desk.sql, { ...record, madeToken: token });
  return ready;
}

/** The model's Accept. */
export function acceptDeed(desk: Desk, deed: unknown): { record: DeedRecord; run: DeedRun } {
  const { lineage, token } = claimOf('deed', deed);
  const run = runOfToken(desk, lineage, token);
  const { record } = findOfMigration(desk, run.migrationId);
  guard('accept', 'role', run.role, 'destination');
  const checked = checkStatement(deed, { kind: 'deed', from: run.peer, to: desk.identity.name, lineage, token });
  refuseClaimed(desk, 'accept', checked.body);
  refuseOvertaken('accept', record, run);
  guard('accept', 'token', token, record.token);
  if (record.state === 'holder' && run.state === 'accepted' && isKept(desk.sql, checked)) return { record, run };
  guard('accept', 'state', record.state, 'receiving');
  guard('accept', 'peer', record.peer, run.peer);
  guard('accept', 'token of READY', record.madeToken, token);
  guard('accept', 'root', checked.body.root, run.root);
  guard('accept', 'run on its way back', record.runToken, 0);
  refuseOtherHolder(desk, 'accept', record);
  // a return that was begun before, and given up, may have found it stopped
  const holder: DeedRecord = { ...record, state: 'holder', wasRunning: null };
  const accepted: DeedRun = { ...run, state: 'accepted' };
  saveRecord(desk.sql, holder);
  saveRun(desk.sql, accepted);
  keepStatement(desk.sql, checked);
  return { record: holder, run: accepted };
}

/** The landing takes no more. The record stays as it is: a source that had READY may have ceded. */
export function closeLanding(desk: Desk, migrationId: string): DeedRun {
  const { run } = findOfMigration(desk, migrationId);
  guard('close', 'role', run.role, 'destination');
  if (run.state !== 'open') return run;
  const closed: DeedRun = { ...run, state: 'aborted' };
  saveRun(desk.sql, closed);
  return closed;
}

/** A repeated receive: the same key for the same offer. */
function receivedKey(desk: Desk, run: DeedRun, offer: Signed<Offer>): Signed<RunKey> {
  const { lineage, token, migrationId } = run;
  guard('receive', 'role', run.role, 'destination');
  guard('receive', 'lineage', offer.body.lineage, lineage);
  guard('receive', 'token', offer.body.token, token);
  if (!isKept(desk.sql, offer)) throw refused('receive', `another offer of migration ${migrationId} was received`);
  refuseClosed('receive', run);
  const key = findStatement(desk.sql, { kind: 'key', lineage, token, from: desk.identity.name });
  if (key === null) throw new SealiftError('unknown-state', `the key of migration ${migrationId} is not kept`);
  return key;
}

function guardReceivable(desk: Desk, record: DeedRecord, body: Offer): void {
  guard('receive', 'vmUuid', body.vmUuid, record.vmUuid);
  if (record.state === 'holder') throw refused('receive', `this host is the holder, token ${String(record.token)}`);
  if (body.token <= record.token) {
    throw refused('receive', `token is ${String(body.token)}, needed more than ${String(record.token)}`);
  }
  guardQuiet(desk, 'receive', record.lineage, []);
  refuseOtherHolder(desk, 'receive', record);
}

function receivedRun({ migrationId, lineage, token, method, from }: Offer, places: FencePlaces): DeedRun {
  return {
    migrationId,
    lineage,
    token,
    role: 'destination',
    state: 'open',
    method,
    peer: from,
    wasRunning: null,
    places,
    session: 0,
    root: null,
    released: false,
    collected: false,
    notes: null,
    openedAt: new Date().toISOString(),
  };
}
