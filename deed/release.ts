import { protocolVersion } from '../domain/protocol.ts';
import type { Claim, Settled, Signed } from '../domain/statement.ts';
import { findStatement, kept, keepStatement } from './book.ts';
import { claimStride } from './claim.ts';
import { findOfMigration, guard, recordOf, refused, runOfToken } from './desk.ts';
import type { Desk } from './desk.ts';
import { logEvent } from './log.ts';
import { allRuns, findRunOfToken, isReturning, saveRecord, saveRun } from './record.ts';
import type { DeedRecord, DeedRun } from './record.ts';
import { checkStatement, claimOf, signStatement } from './statement.ts';

/**
 * The model's Settle: the holder gives up the return of what it accepted by `token` for good, and says so. Without this word the
 * source could free its copy while a give-back is on its way to it, and then neither host would have to keep one.
 */
export function settle(
  desk: Desk,
  lineage: string,
  token: number,
  by: string,
): { settled: Signed<Settled>; released: DeedRun[] } {
  const record = recordOf(desk, lineage);
  const to = cameFrom(desk, lineage, token);
  if (to === null) throw refused('finish', `nothing of token ${String(token)} was accepted here`);
  const released = releaseUntil(desk, lineage, token, by);
  const from = desk.identity.name;
  const said = findStatement(desk.sql, { kind: 'settled', lineage, token, from });
  if (said !== null) return { settled: said, released };
  // a run that was opened since, in either direction, has ended the way back already
  if (record.token === token) {
    if (isReturning(record)) throw refused('finish', `token ${String(token)} is on its way back`);
    saveRecord(desk.sql, { ...record, peer: null });
  }
  const body = { v: protocolVersion, lineage, from, to, token, kind: 'settled' } as const;
  return { settled: kept(desk.sql, signStatement(desk.identity, body)), released };
}

/** Whose copy the VM came from by a token: a move's, or the one that an operator's claim was made against. */
function cameFrom(desk: Desk, lineage: string, token: number): string | null {
  const claimAt = (at: number): Signed<Claim> | null =>
    findStatement(desk.sql, { kind: 'claim', lineage, token: at, to: desk.identity.name });
  // also of a copy that was given back and claimed since: the host that it went back to has another word for it
  const back = findStatement(desk.sql, { kind: 'deed', lineage, token: token + 1, from: desk.identity.name });
  if (back?.body.root === null) return null;
  const run = findRunOfToken(desk.sql, lineage, token);
  if (run?.role !== 'destination' || run.state !== 'accepted') return claimAt(token)?.body.against ?? null;
  const claim = claimAt(token + claimStride);
  if (claim?.body.against !== run.peer) return run.peer;
  const text = `the VM is here by the claim of token ${String(claim.body.token)}, which ${run.peer} has not heeded`;
  throw refused('finish', text);
}

/** The model's Release: what was ceded from here until the settled token is free for collection. The record does not change. */
export function release(desk: Desk, settled: unknown, by: string): DeedRun[] {
  const { lineage, token } = claimOf('settled', settled);
  const run = runOfToken(desk, lineage, token);
  guard('finish', 'role', run.role, 'source');
  const checked = checkStatement(settled, {
    kind: 'settled',
    from: run.peer,
    to: desk.identity.name,
    lineage,
    token,
  });
  guard('finish', 'run', run.state, 'ceded');
  keepStatement(desk.sql, checked);
  return releaseUntil(desk, lineage, token, by);
}

/** Frees the copies that were ceded from here by this token or an older one: the VM has gone on since, on other disks. */
function releaseUntil(desk: Desk, lineage: string, token: number, by: string): DeedRun[] {
  const ceded = allRuns(desk.sql, lineage).filter(
    (run) => run.role === 'source' && run.state === 'ceded' && run.token <= token,
  );
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
