import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isSealiftError } from '../../domain/error.ts';
import type { Operator } from '../../deed/claim.ts';
import { signStatement } from '../../deed/statement.ts';
import type { Claim, Deed, Offer, Ready, Settled, Signed } from '../../domain/statement.ts';
import { apply, broken, enabled, everything, isVouchedFor, newModel } from './model.ts';
import type { Action, Model } from './model.ts';
import { makeHost, places, recipient, removeHosts, reopened } from './support.ts';
import type { TestHost } from './support.ts';

/** Repeat a failure with SEALIFT_SEED; look further with SEALIFT_RUNS. */
const seed = Number(process.env.SEALIFT_SEED ?? Date.now() % 2 ** 31);
const numRuns = Number(process.env.SEALIFT_RUNS ?? 100);
const limitMs = numRuns > 100 ? 3_600_000 : 8_000;

/** The hosts with their databases serve all runs: each has a VM of its own. The last one's identity is the operator's. */
let hosts: TestHost[] = [];
beforeAll(async () => {
  hosts = (await Promise.all([makeHost(), makeHost(), makeHost(), makeHost()])).map(hasty);
});
afterAll(removeHosts);

/** The same VM in the model and in the hosts' databases. */
class Vm {
  readonly model: Model;
  readonly uuid = randomUUID();
  readonly lineage: string;
  readonly offers: Signed<Offer>[] = [];
  readonly ready: Signed<Ready>[] = [];
  readonly deeds: Signed<Deed>[] = [];
  readonly settled: Signed<Settled>[] = [];
  readonly claims: Signed<Claim>[] = [];

  constructor(count: number) {
    this.model = newModel(count);
    this.lineage = host(0).deeds.adopt({ vmUuid: this.uuid, vmName: 'web-1', by: 'test' }).lineage;
  }

  /** Asks the real host, and throws as it does; a statement that comes back is one that the model signs too, or that was signed before. */
  perform(action: Action, may: boolean): void {
    const { deeds } = host(action.h);
    switch (action.kind) {
      case 'write':
      case 'die':
      case 'start':
      case 'copy':
        return;
      case 'unfence':
        this.unfence(deeds);
        return;
      case 'unfenceDone':
        for (const { id } of deeds.intents(this.lineage)) deeds.endIntent(id, true);
        return;
      case 'open': {
        const open = deeds.inProgress(this.lineage)?.migrationId;
        const ask = { vmUuid: this.uuid, vmName: 'web-1', migrationId: randomUUID(), method: 'sealed' as const };
        const supersede = action.supersede ? open : undefined;
        this.keep(this.offers, deeds.open({ ...ask, to: host(action.to).identity.name, supersede }), may);
        return;
      }
      case 'reopen': {
        // Nobody has asked for the run of a claim by its migration.
        if (this.claims.some(({ body }) => body.token === this.offer(action.said).token)) throw new Unproven();
        const { migrationId, to, method } = this.offer(action.said);
        const same = { vmUuid: this.uuid, vmName: 'web-1', migrationId, to, method };
        this.keep(this.offers, deeds.open(same), false);
        return;
      }
      case 'receive': {
        const offer = this.offers[action.said];
        deeds.receive({ offer, from: offer?.body.from ?? '', recipient, places: places('/srv/landing') });
        return;
      }
      case 'fence': {
        const { migrationId } = this.offer(action.said);
        const { running = false, fenced = false } = this.model.hosts[action.h] ?? {};
        // a fence is not begun, and cannot be proven, while the domain runs
        if (running) throw new Unproven();
        deeds.endIntent(deeds.mayFence(migrationId, places(), fenced).intent.id, true);
        deeds.noteFenced(migrationId);
        return;
      }
      case 'read':
        if (this.model.hosts[action.h]?.running === true) throw new Unproven();
        deeds.noteRead(this.offer(action.said).migrationId, this.root(action.h));
        return;
      case 'abort': {
        const { migrationId } = this.offer(action.said);
        if (deeds.byMigration(migrationId).run.role === 'source') deeds.abort(migrationId);
        else deeds.abortReturn(migrationId);
        return;
      }
      case 'ready':
        this.keep(this.ready, deeds.ready(this.offer(action.said).migrationId, this.root(action.h)), may);
        return;
      case 'cede':
        if (this.model.hosts[action.h]?.running === true) throw new Unproven();
        this.keep(this.deeds, deeds.cede(this.offer(action.offer).migrationId, this.ready[action.said]), may);
        return;
      case 'accept':
        deeds.accept(this.deeds[action.said]);
        return;
      case 'beginReturn': {
        const record = deeds.byLineage(this.lineage);
        const shown = this.deeds.find(({ body }) => body.to === deeds.identity && body.token === record?.token);
        deeds.beginReturn(this.lineage, record?.peer ?? '', shown);
        return;
      }
      case 'giveBack':
        if (this.model.hosts[action.h]?.running === true) throw new Unproven();
        this.keep(this.deeds, deeds.giveBack(this.offer(action.said).migrationId), may);
        return;
      case 'takeBack':
        deeds.takeBack(this.deeds[action.said]);
        return;
      case 'settle': {
        const { settled } = deeds.settle(this.lineage, host(action.to).identity.name, 'test');
        this.keep(this.settled, settled, may);
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
      case 'claim':
        this.claim(action.h);
        return;
      case 'heed':
        deeds.heed(this.claims[action.said], operator().by);
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
    const expected = this.model.hosts[h];
    const { deeds } = host(h);
    const record = deeds.byLineage(this.lineage);
    if (record === null || expected === undefined) {
      expect(expected).toMatchObject({ state: 'none', token: 0 });
      return;
    }
    const { token, state, run: runToken, made: madeToken, noted: fencedToken, peer, seen } = expected;
    const peerName = peer === null ? null : host(peer).identity.name;
    const seenRoot = seen === null ? null : rootOf(seen);
    expect(record).toMatchObject({ token, state, runToken, madeToken, fencedToken, peer: peerName, seenRoot });
    expect(deeds.intents(this.lineage)).toHaveLength(expected.unfencing ? 1 : 0);
  }

  /** Asked for by every run that the host ever had of the VM: all but the last are too late. */
  private unfence(deeds: TestHost['deeds']): void {
    const refusals: Error[] = [];
    const runs = deeds.runs(this.lineage);
    for (const { migrationId } of runs) {
      try {
        deeds.mayUnfence(migrationId);
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        refusals.push(error);
      }
    }
    if (refusals.length === runs.length) throw refusals.at(-1) ?? new Unproven();
    if (refusals.length < runs.length - 1) throw new Error('two runs may unfence');
  }

  private claim(h: number): void {
    if (!isVouchedFor(this.model, h)) throw new Unproven();
    const { deeds, identity } = host(h);
    const { record, against, token } = deeds.claimGround(this.lineage);
    const { lineage, vmUuid, vmName } = record;
    const { by, key } = operator();
    const claim = signStatement(key, {
      ...{ v: 1, kind: 'claim', from: by.identity, to: identity.name, lineage, token, against, vmUuid, vmName },
      reason: 'it burned down',
    });
    const { run } = deeds.claim(claim, by);
    this.claims.push(claim);
    // A run of the claim's own, which nobody has offered.
    const offered = { migrationId: run.migrationId, method: run.method, token, from: against, to: identity.name };
    if (run.role === 'destination') this.offers.push({ body: offered } as Signed<Offer>);
  }

  private offer(index: number): Offer {
    const offer = this.offers[index];
    if (offer === undefined) throw new Error('no offer');
    return offer.body;
  }

  private root(h: number): string {
    return rootOf(this.model.hosts[h]?.disk ?? 0);
  }

  private keep<S extends Signed>(said: S[], statement: S, isNew: boolean): void {
    if (isNew) said.push(statement);
    else expect(said).toContainEqual(statement);
  }
}

/** What the caller finds before it asks: the proof of fence and quiet fails. */
class Unproven extends Error {}

/** Some steps are whatever somebody may ask for, some nearly right, some permitted, and some lead on: so that runs get far. */
const step = fc.record({
  among: fc.constantFrom(
    'everything',
    'plausible',
    'plausible',
    'permitted',
    'forward',
    'forward',
    'forward',
    'forward',
  ),
  pick: fc.nat(),
  crash: fc.nat(60),
});

test(`real databases do what the model does, in any order, with any statement ever signed (seed ${String(seed)})`, () => {
  const reached = new Set<string>();
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 3 }), fc.array(step, { minLength: 20, maxLength: 60 }), (count, steps) => {
      const vm = new Vm(count);
      const story: string[] = [];
      for (const { among, pick, crash } of steps) {
        if (crash === 0) hosts[pick % count] = hasty(reopened(host(pick % count)));
        const all = everything(vm.model);
        const permitted = all.filter((action) => enabled(vm.model, action));
        const forward = permitted.filter((action) => leadsOn(vm.model, action));
        const plausible = all.filter((action) => isAddressed(vm.model, action) && !enabled(vm.model, action));
        const lists = { everything: all, permitted, forward, plausible };
        const action = choose(lists[among].length > 0 ? lists[among] : permitted, pick);
        const may = enabled(vm.model, action);
        let refusal: unknown = null;
        try {
          vm.perform(action, may);
        } catch (error) {
          if (!isSealiftError(error) && !(error instanceof Unproven)) throw error;
          refusal = error;
        }
        if (may) {
          story.push(JSON.stringify(action));
          if (refusal !== null) throw new Error(`refused after ${story.join('\n')}`, { cause: refusal });
          reached.add(action.kind);
          apply(vm.model, action);
        } else if (refusal === null && mustRefuse(vm.model, action)) {
          throw new Error(`permitted: ${JSON.stringify(action)} after ${story.join('\n')}`);
        }
        clearIntents(vm, action.h);
        vm.compare(action.h);
        expect({ broken: broken(vm.model), story }).toEqual({ broken: [], story });
      }
    }),
    { seed, numRuns, interruptAfterTimeLimit: limitMs, markInterruptAsFailure: false },
  );
  // the runs went to the end of the protocol, or this test shows little
  expect([...reached]).toEqual(
    expect.arrayContaining([
      'abort',
      'cede',
      'accept',
      'beginReturn',
      'giveBack',
      'takeBack',
      'settle',
      'release',
      'collect',
      'claim',
      'heed',
      'quell',
    ]),
  );
});

/** Whether a success is wrong although the record stays as it was; the other actions may be repetitions. */
function mustRefuse({ hosts: states }: Model, { kind, h }: Action): boolean {
  if (kind === 'unfence') return states[h]?.state !== 'holder' || states[h].run !== 0;
  return kind === 'fence' || kind === 'read';
}

/** Whether a permitted action brings the VM nearer to its next host: no copy, reading or fence that is done already, no way off. */
function leadsOn({ hosts: states }: Model, action: Action): boolean {
  const state = states[action.h];
  if (state === undefined) return false;
  if (action.kind === 'copy') {
    const source = state.peer === null ? undefined : states[state.peer];
    return action.value === source?.disk && action.value !== state.disk && source.noted !== 0;
  }
  if (action.kind === 'ready') return state.peer !== null && states[state.peer]?.disk === state.disk;
  if (action.kind === 'die') return state.run !== 0;
  if (action.kind === 'fence') return state.noted !== state.run;
  if (action.kind === 'read') return state.seen === null;
  if (action.kind === 'open') return state.run === 0 && !state.running;
  return !['write', 'start', 'abort', 'unfence', 'settle', 'claim'].includes(action.kind);
}

/** Whether the host is the one that the statement is for: such an action is refused by its guards only. */
function isAddressed({ offers, ready, deeds, settled }: Model, action: Action): boolean {
  switch (action.kind) {
    case 'unfence':
    case 'beginReturn':
    case 'claim':
    case 'heed':
    case 'quell':
      return true;
    case 'open':
      return action.to !== action.h;
    case 'accept':
    case 'takeBack':
      return deeds[action.said]?.to === action.h;
    case 'settle':
      return true;
    case 'release':
      return settled[action.said]?.to === action.h;
    case 'collect':
      return deeds[action.said]?.from === action.h;
    case 'cede':
      return ready[action.said]?.to === action.h && offers[action.offer]?.token === ready[action.said]?.token;
    case 'fence':
    case 'abort':
      return [offers[action.said]?.from, offers[action.said]?.to].includes(action.h);
    case 'read':
    case 'reopen':
      return offers[action.said]?.from === action.h;
    case 'receive':
    case 'ready':
    case 'giveBack':
      return offers[action.said]?.to === action.h;
    default:
      return false;
  }
}

/** By kind first: there are many more ways to show an old statement than to go on. */
function choose(actions: Action[], pick: number): Action {
  const kinds = [...new Set(actions.map(({ kind }) => kind))].sort();
  const kind = kinds[pick % kinds.length];
  const alike = actions.filter((action) => action.kind === kind);
  const chosen = alike[Math.floor(pick / kinds.length) % alike.length];
  if (chosen === undefined) throw new Error('nothing can be asked for');
  return chosen;
}

/** These runs cut no power, so they need not wait for the disk. */
function hasty(made: TestHost): TestHost {
  made.database.sql.exec('PRAGMA synchronous = OFF');
  return made;
}

/** An unfence that the model does not have (the fence was off already) has ended at once. */
function clearIntents(vm: Vm, h: number): void {
  const intents = host(h).deeds.intents(vm.lineage);
  for (const { id } of intents.slice(vm.model.hosts[h]?.unfencing === true ? 1 : 0)) host(h).deeds.endIntent(id, false);
}

function operator(): { by: Operator; key: TestHost['identity'] } {
  const key = host(3).identity;
  return { by: { name: 'ada@example.org', identity: key.name }, key };
}

function host(h: number): TestHost {
  const found = hosts[h];
  if (found === undefined) throw new Error(`no host ${String(h)}`);
  return found;
}

function rootOf(content: number): string {
  return content.toString(16).padStart(64, '0');
}
