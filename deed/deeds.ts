import type { DatabaseSync } from 'node:sqlite';
import type { Claim, Deed, Offer, Ready, RunKey, Session, Settled, Signed, Tunnel } from '../domain/statement.ts';
import type { Database } from '../storage/database.ts';
import { keptStatements } from './book.ts';
import type { KeptStatement } from './book.ts';
import { claimAnew, claimDeed, claimGround, heedClaim, presentClaim } from './claim.ts';
import type { ClaimGround, Operator } from './claim.ts';
import type { Desk } from './desk.ts';
import { findOfMigration, runInProgress } from './desk.ts';
import { acceptDeed, acceptSession, closeLanding, placeLanding, receiveRun, signReady } from './destination.ts';
import type { ReceiveAsk } from './destination.ts';
import type { Identity } from './identity.ts';
import {
  endIntent,
  mayArrive,
  mayDropArrival,
  mayFence,
  mayQuell,
  mayStart,
  mayStop,
  mayUnfence,
  openIntents,
} from './intents.ts';
import type { Intent } from './intents.ts';
import { logEvent, loggedEvents } from './log.ts';
import type { DeedEvent } from './log.ts';
import type { FencePlaces } from './places.ts';
import { allRecords, allRuns, findRecord, findRecordOfVm, findRun, openRuns, saveRun } from './record.ts';
import type { DeedRecord, DeedRun } from './record.ts';
import { mayCollect, release, settle } from './release.ts';
import { abortReturn, beginReturn, giveBack, heldRun, runAside, takeBack } from './return.ts';
import { acceptKey, nextSession, signSession } from './session.ts';
import { abortRun, adopt, cede, guardCede, noteFenced, noteRead, openRun } from './source.ts';
import type { AdoptAsk, OpenAsk } from './source.ts';
import { checkTunnel, signTunnel } from './tunnel.ts';

/** A run and the record that it belongs to. */
export interface RunOfRecord {
  record: DeedRecord;
  run: DeedRun;
}

/**
 * The deeds that a host keeps: its records, and every statement that it signed or accepted.
 *
 * Each method is one durable transaction and one action of the protocol's model (docs/deed.md has the table). All of them may
 * be asked for at any time, in any order and again: a repetition with the same arguments changes nothing and gives the same
 * statement, and what the record does not permit throws 'deed-refused', whose message names the guard and both values.
 * Other errors: 'not-adopted' (no record of the VM), 'unknown-run' (no run of the migration), 'run-open', 'run-closed',
 * 'abort-refused', 'revert-refused', 'bad-statement', 'stale-session', 'manifest-mismatch', 'intent-open'.
 * Statements come back only after the commit; the effects on storage and domains are the caller's, in the order that docs/deed.md gives.
 */
export class Deeds {
  readonly #database: Database;
  readonly #identity: Identity;

  constructor(database: Database, identity: Identity) {
    this.#database = database;
    this.#identity = identity;
  }

  /** The name of the identity that signs here. */
  get identity(): string {
    return this.#identity.name;
  }

  // Reads.

  byLineage(lineage: string): DeedRecord | null {
    return findRecord(this.#sql, lineage);
  }
  /** The record that counts for a VM: the holder's, else one on its way here, else the last changed. */
  byVm(vmUuid: string): DeedRecord | null {
    return findRecordOfVm(this.#sql, vmUuid);
  }
  /** The run of a migration at this host with its record. Throws 'unknown-run'. */
  byMigration(migrationId: string): RunOfRecord {
    return this.#act((desk) => findOfMigration(desk, migrationId));
  }
  hasRun(migrationId: string): boolean {
    return findRun(this.#sql, migrationId) !== null;
  }
  /** The run that is open here as source, or on its way back; null when none is. */
  inProgress(lineage: string): DeedRun | null {
    return this.#act(({ sql }) => {
      const record = findRecord(sql, lineage);
      return record === null ? null : runInProgress(sql, record);
    });
  }
  records(): DeedRecord[] {
    return allRecords(this.#sql);
  }
  runs(lineage?: string): DeedRun[] {
    return allRuns(this.#sql, lineage ?? null);
  }
  openRuns(): DeedRun[] {
    return openRuns(this.#sql);
  }
  statements(lineage: string): KeptStatement[] {
    return keptStatements(this.#sql, lineage);
  }

  // Adoption.

  /** The first record of a VM that has none anywhere: draws its lineage, holder at token 1. Throws 'adoption-refused' when this host has an older record. */
  adopt(ask: AdoptAsk): DeedRecord {
    return this.#act((desk) => adopt(desk, ask));
  }

  // Both ends of a run by `tunnel`.

  /** Signs the public key of this end, while the run is open. */
  signTunnel(migrationId: string, publicKey: string): Signed<Tunnel> {
    return this.#act((desk) => signTunnel(desk, migrationId, publicKey));
  }
  /** Takes that of the other end. */
  checkTunnel(migrationId: string, tunnel: unknown): Signed<Tunnel> {
    return this.#act((desk) => checkTunnel(desk, migrationId, tunnel));
  }

  // Source.

  /** Opens a run, keyed by the migration; voids the open run only when `supersede` names its migration. */
  open(ask: OpenAsk): Signed<Offer> {
    return this.#act((desk) => openRun(desk, ask));
  }
  /** Keeps the destination's key of the run, after checking it; seal to this one only. */
  acceptKey(migrationId: string, key: unknown): Signed<RunKey> {
    return this.#act((desk) => acceptKey(desk, migrationId, key));
  }
  /** Counts a new start of the sender within the run; returns its number, from 1. */
  nextSession(migrationId: string): number {
    return this.#act((desk) => nextSession(desk, migrationId));
  }
  /** Signs the session of that number, the run's latest, after its key was wrapped to `recipient`, that of the accepted key. */
  signSession(migrationId: string, ask: { number: number; recipient: string; wrapped: string }): Signed<Session> {
    return this.#act((desk) => signSession(desk, migrationId, ask));
  }
  /** Notes that the fence of the run was proven, with the domain gone and nothing under way; for a run on its way back, too. */
  noteFenced(migrationId: string): DeedRecord {
    return this.#act((desk) => noteFenced(desk, migrationId));
  }
  /** Keeps the root that the source computed from its own reads under the present fence. */
  noteRead(migrationId: string, root: string): DeedRecord {
    return this.#act((desk) => noteRead(desk, migrationId, root));
  }
  /**
   * The point of no return. The caller has proven fence and quiet right before. `ready` is whatever was given as READY.
   * Throws 'manifest-mismatch' when its root is not the one that the source itself read.
   */
  cede(migrationId: string, ready: unknown): Signed<Deed> {
    return this.#act((desk) => cede(desk, migrationId, ready));
  }
  /** Throws what `cede` would, and changes nothing: before a guest is given up that only waits for it. */
  checkCede(migrationId: string, ready: unknown): void {
    this.#act((desk) => guardCede(desk, migrationId, ready));
  }
  /**
   * Ends an open run; its token is spent. Throws 'abort-refused' after the cede. A migration that has no run here is withdrawn
   * for good before 'unknown-run' is thrown, so that an open which comes late finds 'run-closed'.
   */
  abort(migrationId: string): DeedRecord {
    const aborted = this.#act((desk) => abortRun(desk, migrationId));
    if (aborted instanceof Error) throw aborted;
    return aborted;
  }
  /** What was ceded from here and is kept for a return, with the deed. Throws 'revert-refused' when there is none, or its hold has ended. */
  heldRun(lineage: string): { run: DeedRun; deed: Signed<Deed> } {
    return this.#act((desk) => heldRun(desk, lineage));
  }
  /** What has come back here and was not set up since, with the deed by which it had gone; null when it is none. */
  runAside(lineage: string): { run: DeedRun; deed: Signed<Deed> } | null {
    return this.#act((desk) => runAside(desk, lineage));
  }
  /** Takes the right back by the destination's deed; the run is `returned`. */
  takeBack(deed: unknown): RunOfRecord {
    return this.#act((desk) => takeBack(desk, deed));
  }
  /** `finish` at the host that ceded, by the holder's word; returns the runs whose copies are free for collection. */
  release(settled: unknown, by: string): DeedRun[] {
    return this.#act((desk) => release(desk, settled, by));
  }

  // Destination.

  /**
   * Reserves for the run of `offer`, which must be signed by `from`, the pinned identity of the source, and signs the run's key.
   * A repetition returns the first key's statement, whatever `recipient` says: keep each secret under its recipient's name.
   */
  receive(ask: ReceiveAsk): Signed<RunKey> {
    return this.#act((desk) => receiveRun(desk, ask));
  }
  /** Notes where the disks of a landing lie, now that they are made. */
  placeLanding(migrationId: string, disks: FencePlaces['disks']): void {
    this.#act((desk) => {
      placeLanding(desk, migrationId, disks);
    });
  }
  /** Lets a session in: checked against the run it names, and no older than any seen ('stale-session'). Durable before it returns. */
  acceptSession(session: unknown): RunOfRecord & { session: Signed<Session> } {
    return this.#act((desk) => acceptSession(desk, session));
  }
  /** Signs READY, once per run: the caller has refused further frames, read everything back and fenced the landing's disks. */
  ready(migrationId: string, root: string): Signed<Ready> {
    return this.#act((desk) => signReady(desk, migrationId, root));
  }
  /** Takes the right over: this host is the holder. */
  accept(deed: unknown): RunOfRecord {
    return this.#act((desk) => acceptDeed(desk, deed));
  }
  /** The landing of the run takes no more; a deed for which READY was signed is still accepted. */
  closeLanding(migrationId: string): DeedRun {
    return this.#act((desk) => closeLanding(desk, migrationId));
  }
  /** Revert begins: like an open run towards the peer that the VM came from. `deed`: the source's, when it was not accepted yet. */
  beginReturn(lineage: string, to: string, deed?: unknown): RunOfRecord {
    return this.#act((desk) => beginReturn(desk, lineage, to, deed));
  }
  abortReturn(migrationId: string): DeedRecord {
    return this.#act((desk) => abortReturn(desk, migrationId));
  }
  /** Gives the right back. The caller has proven fence and quiet right before. */
  giveBack(migrationId: string): Signed<Deed> {
    return this.#act((desk) => giveBack(desk, migrationId));
  }

  /** `finish` at the holder: what came by `token` never goes back. Also frees the older copies that this host itself ceded. */
  settle(lineage: string, token: number, by: string): { settled: Signed<Settled>; released: DeedRun[] } {
    return this.#act((desk) => settle(desk, lineage, token, by));
  }

  // An operator's word, when another host is gone for good.

  /** What this host could claim: a whole copy whose right another host has or may have. Throws 'deed-refused' when there is none. */
  claimGround(lineage: string): ClaimGround {
    return this.#act((desk) => claimGround(desk, lineage));
  }
  /** Takes the right by an operator's claim, logged: this host is the holder, by a run of the claim's own. */
  claim(claim: unknown, by: Operator): RunOfRecord {
    return this.#act((desk) => claimDeed(desk, claim, by));
  }
  /** The same at a host that has lost its records: for the VM that it has, by what the record of the host `from` says. */
  claimAnew(claim: unknown, by: Operator, from: string): DeedRecord {
    return this.#act((desk) => claimAnew(desk, claim, by, from));
  }
  /**
   * Gives the right up by a claim against this host, or against the one it handed the VM to; logged. `news` is false for one that was
   * heeded before. The caller then stops and fences what is here (`mayQuell`).
   */
  heed(claim: unknown, by: Operator): { record: DeedRecord; news: boolean } {
    return this.#act((desk) => heedClaim(desk, claim, by));
  }
  /** The claim by which this host got or lost a VM last, while it has not moved on since. */
  presentClaim(record: DeedRecord): Signed<Claim> | null {
    return this.#act((desk) => presentClaim(desk, record));
  }

  // Commands outside of the database: each intent is recorded before its command is launched, and ended when the command has ended.

  /** May the run's domain be stopped now? `running`: what the caller found. Returns the power state found first. */
  mayStop(migrationId: string, running: boolean): { intent: Intent; wasRunning: boolean } {
    return this.#act((desk) => mayStop(desk, migrationId, running));
  }
  /**
   * May the fence be put on? `found` counts only the first time: the places to use are those returned. `intact`: the fence noted for the
   * run was just proven; where it was not, what was read under it does not count any more.
   */
  mayFence(migrationId: string, found: FencePlaces, intact: boolean): { intent: Intent; places: FencePlaces } {
    return this.#act((desk) => mayFence(desk, migrationId, found, intact));
  }
  /**
   * May the fence be taken off? Only the holder's, with no run open, and for the run that it holds by, or the one of its token
   * that was aborted ('run-closed' for an older one). `start`: whether a start is to follow. `places` null: there is nothing to take off.
   */
  mayUnfence(migrationId: string, start: boolean): { intent: Intent; places: FencePlaces | null } {
    return this.#act((desk) => mayUnfence(desk, migrationId, start));
  }
  /** May the domain of a run's guest come with its memory? Paused, and not unpaused before the accept. */
  mayArrive(migrationId: string): Intent {
    return this.#act((desk) => mayArrive(desk, migrationId));
  }
  /** May such a domain be destroyed, since its run came to nothing or another one comes in its place? */
  mayDropArrival(lineage: string): Intent {
    return this.#act((desk) => mayDropArrival(desk, lineage));
  }
  /** May a copy without any right to run be stopped, or fenced? Only where the record says that it went elsewhere. */
  mayQuell(lineage: string, what: 'stop' | 'fence', found: FencePlaces): { intent: Intent; places: FencePlaces } {
    return this.#act((desk) => mayQuell(desk, lineage, what, found));
  }
  /** May the domain be started? Guarded like `mayUnfence`. */
  mayStart(migrationId: string): Intent {
    return this.#act((desk) => mayStart(desk, migrationId));
  }
  /** The command of the intent has ended, orphans included. `done`: with success, so that an unfence or a start is not owed any more. */
  endIntent(id: number, done: boolean): void {
    this.#act((desk) => {
      endIntent(desk, id, done);
    });
  }
  intents(lineage?: string): Intent[] {
    return openIntents(this.#sql, lineage ?? null);
  }

  // Kept beside the runs.

  /** Replaces what the host's steps keep with the run (JSON). */
  setNotes(migrationId: string, notes: unknown): void {
    this.#act((desk) => {
      saveRun(desk.sql, { ...findOfMigration(desk, migrationId).run, notes });
    });
  }
  /** Gives a run's copy free for removal, logged. Throws 'deed-refused' while it is, or may become, the VM's one good copy. */
  mayCollect(migrationId: string, ask: { by: string; evenReady?: boolean }): DeedRun {
    return this.#act((desk) => mayCollect(desk, migrationId, ask));
  }
  log(event: Omit<DeedEvent, 'at'>): void {
    this.#act((desk) => {
      logEvent(desk.sql, event);
    });
  }
  events(lineage?: string): DeedEvent[] {
    return loggedEvents(this.#sql, lineage ?? null);
  }

  get #sql(): DatabaseSync {
    return this.#database.sql;
  }

  #act<T>(act: (desk: Desk) => T): T {
    return this.#database.transaction(() => act({ sql: this.#database.sql, identity: this.#identity }));
  }
}
