import { protocolVersion } from '../domain/protocol.ts';
import type { RunKey, Session, Signed } from '../domain/statement.ts';
import { findStatement, kept } from './book.ts';
import { guard, openRunOf } from './desk.ts';
import type { Desk } from './desk.ts';
import { saveRun } from './record.ts';
import { checkStatement, signStatement } from './statement.ts';

/** Keeps the destination's key of the run; the first one stays. */
export function acceptKey(desk: Desk, migrationId: string, key: unknown): Signed<RunKey> {
  const { run } = openRunOf(desk, 'key', migrationId);
  const { lineage, token, peer } = run;
  const checked = checkStatement(key, { kind: 'key', from: peer, to: desk.identity.name, lineage, token });
  const first = findStatement(desk.sql, { kind: 'key', lineage, token, from: peer });
  if (first !== null) guard('key', 'recipient', checked.body.recipient, first.body.recipient);
  return first ?? kept(desk.sql, checked);
}

export function nextSession(desk: Desk, migrationId: string): number {
  const { run } = openRunOf(desk, 'session', migrationId);
  const session = run.session + 1;
  saveRun(desk.sql, { ...run, session });
  return session;
}

export function signSession(
  desk: Desk,
  migrationId: string,
  ask: { number: number; recipient: string; wrapped: string },
): Signed<Session> {
  const { run } = openRunOf(desk, 'session', migrationId);
  const { lineage, token, peer: to } = run;
  guard('session', 'number', ask.number, run.session);
  const key = findStatement(desk.sql, { kind: 'key', lineage, token, from: to });
  guard('session', 'recipient', ask.recipient, key?.body.recipient ?? null);
  const from = desk.identity.name;
  const { number, recipient, wrapped } = ask;
  const body = { v: protocolVersion, lineage, from, to, token, kind: 'session', number, recipient, wrapped } as const;
  return kept(desk.sql, signStatement(desk.identity, body));
}
