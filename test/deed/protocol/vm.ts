import { randomUUID } from 'node:crypto';
import { expect } from '@jest/globals';
import type { Operator } from '../../../deed/claim.ts';
import type { Identity } from '../../../deed/identity.ts';
import { signStatement } from '../../../deed/statement.ts';
import type { Claim, Deed, Offer, Ready, Settled, Signed } from '../../../domain/statement.ts';
import type { Action } from '../model/actions.ts';
import { isGivenUp, isToBeAdopted, isVouchedFor } from '../model/guards.ts';
import { at, isAwaited, landingOf, newModel } from '../model/state.ts';
import type { Model } from '../model/state.ts';
import { places, recipient } from '../support.ts';
import type { TestHost } from '../support.ts';

/** What the caller finds before it asks: the proof of fence and quiet fails, or the others know better. */
export class Unproven extends Error {}

/** The same VM in the model and in the hosts' databases. */
export class Vm {
  readonly model: Model;
  readonly uuid = randomUUID();
  /** Nobody's, until it is drawn. */
  lineage = 'f'.repeat(32);
  readonly offers: Signed<Offer>[] = [];
  readonly ready: Signed<Ready>[] = [];
  readonly deeds: Signed<Deed>[] = [];
  readonly settled: Signed<Settled>[] = [];
  readonly claims: Signed<Claim>[] = [];
  readonly #hosts: readonly TestHost[];
  readonly #operator: Identity;

  /** It runs on one of the first hosts, `first`, and nobody has adopted it. */
  constructor(hosts: readonly TestHost[], ask: { count: number; first: number; operator: Identity }) {
    this.model = newModel(ask.count, ask.first);
    this.#hosts = hosts;
    this.#operator = ask.operator;
  }

  /** Asks the real host, and throws as it does; a statement that comes back is one that the model signs too, or that was signed before. */
  perform(action: Action, may: boolean): void {
    const { deeds } = this.#host(action.h);
    const state = at(this.model.hosts, action.h);
    switch (action.kind) {
      case 'write':
      case 'die':
      case 'start':
      case 'copy':
        return;
      case 'unfence':
        this.#unfence(deeds);
        return;
      case 'unfenceDone':
        for (const { id } of deeds.intents(this.lineage)) deeds.endIntent(id, true);
        return;
      case 'adopt': {
        // a record is enough; without one the mark and the others tell
        if (deeds.byVm(this.uuid) === null && !isToBeAdopted(this.model, action.h)) throw new Unproven();
        const { lineage } = deeds.adopt({ vmUuid: this.uuid, vmName: 'web-1', by: 'test' });
        if (may) this.lineage = lineage;
        else expect(lineage).toBe(this.lineage);
        return;
      }
      case 'open': {
        const open = deeds.inProgress(this.lineage)?.migrationId;
        const ask = { vmUuid: this.uuid, vmName: 'web-1', migrationId: randomUUID(), method: 'sealed' as const };
        const supersede = action.supersede ? open : undefined;
        this.#keep(this.offers, deeds.open({ ...ask, to: this.#host(action.to).identity.name, supersede }), may);
        return;
      }
      case 'reopen': {
        // Nobody has asked for the run of a claim by its migration.
        if (this.claims.some(({ body }) => body.token === this.#offer(action.said).token)) throw new Unproven();
        const { migrationId, to, method } = this.#offer(action.said);
        const same = { vmUuid: this.uuid, vmName: 'web-1', migrationId, to, method };
        this.#keep(this.offers, deeds.open(same), false);
        return;
      }
      case 'receive': {
        const offer = this.offers[action.said];
        deeds.receive({ offer, from: offer?.body.from ?? '', recipient, places: places('/srv/landing') });
        return;
      }
      case 'fence': {
        const { migrationId } = this.#offer(action.said);
        // a fence is not begun, and cannot be proven, while the domain runs
        if (state.running) throw new Unproven();
        deeds.endIntent(deeds.mayFence(migrationId, places(), state.fenced).intent.id, true);
        deeds.noteFenced(migrationId);
        return;
      }
      case 'read':
        if (state.running) throw new Unproven();
        deeds.noteRead(this.#offer(action.said).migrationId, rootOf(state.disk));
        return;
      case 'abort': {
        const { migrationId } = this.#offer(action.said);
        if (deeds.byMigration(migrationId).run.role === 'source') deeds.abort(migrationId);
        else deeds.abortReturn(migrationId);
        return;
      }
      case 'ready':
        // there is nothing to read back
        if (state.disk === null) throw new Unproven();
        this.#keep(this.ready, deeds.ready(this.#offer(action.said).migrationId, rootOf(state.disk)), may);
        return;
      case 'cede':
        if (state.running) throw new Unproven();
        this.#keep(this.deeds, deeds.cede(this.#offer(action.offer).migrationId, this.ready[action.said]), may);
        return;
      case 'accept':
        deeds.accept(this.deeds[action.said]);
        return;
      case 'close':
        deeds.closeLanding(this.#offer(action.said).migrationId);
        return;
      case 'beginReturn': {
        const record = deeds.byLineage(this.lineage);
        const shown = this.deeds.find(({ body }) => body.to === deeds.identity && body.token === record?.token);
        deeds.beginReturn(this.lineage, record?.peer ?? '', shown);
        return;
      }
      case 'giveBack':
        if (state.running) throw new Unproven();
        this.#keep(this.deeds, deeds.giveBack(this.#offer(action.said).migrationId), may);
        return;
      case 'takeBack':
        deeds.takeBack(this.deeds[action.said]);
        return;
      case 'settle': {
        const { settled } = deeds.settle(this.lineage, action.token, 'test');
        this.#keep(this.settled, settled, may);
        return;
      }
      case 'release':
        deeds.release(this.settled[action.said], 'test');
        return;
      case 'collect': {
        const ceded = this.deeds[action.said];
        const run = deeds.runs(this.lineage).find((one) => one.role === 'source' && one.token === ceded?.body.token);
        if (run === undefined) throw new Unproven();
        deeds.mayCollect(run.migrationId, { by: 'test' });
        return;
      }
      case 'collectLanding': {
        const { migrationId, token } = this.#offer(action.said);
        const landing = landingOf(this.model, action.h, token);
        if (landing === undefined) throw new Unproven();
        if (action.evenReady && !isGivenUp(this.model, landing)) throw new Unproven();
        const { evenReady } = action;
        // without its source's word one for which READY was signed stays
        if (may && evenReady && isAwaited(this.model, landing) && state.made === token)
          expect(() => deeds.mayCollect(migrationId, { by: 'test' })).toThrow('ask the source first');
        deeds.mayCollect(migrationId, { by: 'test', evenReady });
        return;
      }
      case 'claim':
        this.#claim(action.h);
        return;
      case 'heed':
        deeds.heed(this.claims[action.said], this.#by());
        return;
      case 'quell':
        // Commands that were under way are waited for: the right is gone already.
        for (const { id } of may ? deeds.intents(this.lineage) : []) deeds.endIntent(id, false);
        deeds.endIntent(deeds.mayQuell(this.lineage, 'fence', places()).intent.id, true);
        return;
    }
  }

  /** What a host's database says, and what the model says. The other hosts have databases of their own. */
  compare(h: number): void {
    const expected = at(this.model.hosts, h);
    const { deeds } = this.#host(h);
    const record = deeds.byVm(this.uuid);
    if (record === null) {
      expect(expected).toMatchObject({ state: 'none', token: 0 });
      return;
    }
    const { token, state, run: runToken, made: madeToken, noted: fencedToken, peer, seen } = expected;
    const peerName = peer === null ? null : this.#host(peer).identity.name;
    const seenRoot = seen === null ? null : rootOf(seen);
    const { lineage } = this;
    expect(record).toMatchObject({ lineage, token, state, runToken, madeToken, fencedToken, peer: peerName, seenRoot });
    expect(deeds.intents(lineage)).toHaveLength(expected.unfencing ? 1 : 0);
    const landings = deeds.runs(lineage).filter(({ role }) => role === 'destination');
    expect(landings.map((run) => ({ token: run.token, state: run.state, collected: run.collected }))).toEqual(
      this.model.landings
        .filter((landing) => landing.at === h)
        .sort((a, b) => a.token - b.token)
        .map((landing) => ({ token: landing.token, state: landing.state, collected: landing.collected })),
    );
  }

  /** An unfence that the model does not have (the fence was off already) has ended at once. */
  clearIntents(h: number): void {
    const { deeds } = this.#host(h);
    const known = at(this.model.hosts, h).unfencing ? 1 : 0;
    for (const { id } of deeds.intents(this.lineage).slice(known)) deeds.endIntent(id, false);
  }

  /** Asked for by every run that the host ever had of the VM: all but the last are too late. */
  #unfence(deeds: TestHost['deeds']): void {
    const refusals: Error[] = [];
    const runs = deeds.runs(this.lineage);
    for (const { migrationId } of runs) {
      try {
        deeds.mayUnfence(migrationId, true);
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        refusals.push(error);
      }
    }
    if (refusals.length === runs.length) throw refusals.at(-1) ?? new Unproven();
    if (refusals.length < runs.length - 1) throw new Error('two runs may unfence');
  }

  #claim(h: number): void {
    if (!isVouchedFor(this.model, h)) throw new Unproven();
    const { deeds, identity } = this.#host(h);
    const { record, against, token } = deeds.claimGround(this.lineage);
    const { lineage, vmUuid, vmName } = record;
    const by = this.#by();
    const claim = signStatement(this.#operator, {
      ...{ v: 1, kind: 'claim', from: by.identity, to: identity.name, lineage, token, against, vmUuid, vmName },
      reason: 'it burned down',
    });
    const { run } = deeds.claim(claim, by);
    this.claims.push(claim);
    // A run of the claim's own, which nobody has offered.
    const offered = { migrationId: run.migrationId, method: run.method, token, from: against, to: identity.name };
    if (run.role === 'destination') this.offers.push({ body: offered } as Signed<Offer>);
  }

  #by(): Operator {
    return { name: 'ada@example.org', identity: this.#operator.name };
  }

  #offer(index: number): Offer {
    return at(this.offers, index).body;
  }

  #host(h: number): TestHost {
    return at(this.#hosts, h);
  }

  #keep<S extends Signed>(said: S[], statement: S, isNew: boolean): void {
    if (isNew) said.push(statement);
    else expect(said).toContainEqual(statement);
  }
}

function rootOf(content: number | null): string {
  return (content ?? 0).toString(16).padStart(64, '0');
}
