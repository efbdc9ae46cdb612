import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { claimStride } from '../../deed/claim.ts';
import { explainSteps } from '../../deed/explain.ts';
import { createIdentity } from '../../deed/identity.ts';
import type { Identity } from '../../deed/identity.ts';
import { signStatement } from '../../deed/statement.ts';
import type { Claim, Signed } from '../../domain/statement.ts';
import {
  adopted,
  expectRefusal,
  fences,
  makeHost,
  moved,
  opens,
  places,
  readyMove,
  receives,
  rootA,
} from './support.ts';
import { removeHosts, reopened, vm } from './support.ts';
import type { TestHost } from './support.ts';

let a: TestHost;
let b: TestHost;
let lineage: string;
let ada: Identity;
let by: { name: string; identity: string };
beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sealift-operator-'));
  [a, b, ada] = await Promise.all([makeHost(), makeHost(), createIdentity(folder, 'operator')]);
  await rm(folder, { recursive: true });
  by = { name: 'ada', identity: ada.name };
  lineage = adopted(a).lineage;
});
afterEach(removeHosts);

/** The claim that the host's own record gives ground for. */
function claimAt(host: TestHost, change: Partial<Claim> = {}): Signed<Claim> {
  const { against, token } = host.deeds.claimGround(lineage);
  const common = { v: 1, kind: 'claim', lineage, from: ada.name, to: host.identity.name } as const;
  return signStatement(ada, { ...common, token, against, ...vm, reason: 'it burned down', ...change });
}

const stateOf = (host: TestHost) => host.deeds.byLineage(lineage);
const lastRun = (host: TestHost) => host.deeds.runs(lineage).at(-1)!;

describe('a claim', () => {
  test('of a whole landing makes its host the holder, and the source that heeds gives all up', () => {
    const { migrationId, ready } = readyMove(a, b);
    const claim = claimAt(b);
    const { record, run } = b.deeds.claim(claim, by);
    expect(record).toMatchObject({ state: 'holder', token: 2 + claimStride, peer: a.identity.name });
    expect(b.deeds.claim(claim, by).run.migrationId).toBe(run.migrationId);
    expect(b.deeds.mayUnfence(run.migrationId, true).places).toEqual(places('/srv/landing-2'));
    // the source cedes late, or before it hears: worth nothing
    const deed = a.deeds.cede(migrationId, ready);
    expectRefusal(() => b.deeds.accept(deed), 'claimed', /by token 1002, after token 2/);
    expect(a.deeds.heed(claim, by).news).toBe(true);
    expect(a.deeds.heed(claim, by).news).toBe(false);
    expect(stateOf(a)).toMatchObject({ state: 'ceded', token: 2 + claimStride, peer: b.identity.name });
    expectRefusal(() => a.deeds.mayStart(migrationId), 'claimed');
    expect(b.deeds.events(lineage).at(-1)).toMatchObject({ who: 'ada', what: 'claim' });
    expect(a.deeds.events(lineage).at(-1)).toMatchObject({ who: 'ada', what: 'heed' });
  });

  test('of a copy that is not whole, of a holder, or of nothing is refused', () => {
    expectRefusal(() => a.deeds.claimGround(lineage), 'deed-refused', /holds the deed already/);
    receives(b, a, opens(a, b));
    expectRefusal(() => b.deeds.claimGround(lineage), 'deed-refused', /not whole/);
    expectRefusal(() => b.deeds.claimGround('0'.repeat(32)), 'not-adopted');
  });

  test('of a ceded copy makes the source the holder; the destination that had not accepted never may', () => {
    const { migrationId, ready } = readyMove(a, b);
    const deed = a.deeds.cede(migrationId, ready);
    const claim = claimAt(a);
    const { run } = a.deeds.claim(claim, by);
    expect(stateOf(a)).toMatchObject({ state: 'holder', peer: null });
    a.deeds.endIntent(a.deeds.mayUnfence(run.migrationId, true).intent.id, true);
    a.deeds.endIntent(a.deeds.mayStart(run.migrationId).id, true);
    b.deeds.heed(claim, by);
    expect(stateOf(b)).toMatchObject({ state: 'none', token: 2 + claimStride });
    expectRefusal(() => b.deeds.accept(deed), 'claimed');
    expectRefusal(() => b.deeds.beginReturn(lineage, a.identity.name, deed), 'revert-refused');
    // the copy that was claimed is nobody's garbage, and the next move is as any
    expectRefusal(() => a.deeds.mayCollect(migrationId, { by: 'x' }), 'deed-refused', /VM's own/);
    expect(moved(a, b).deed.body.token).toBe(3 + claimStride);
  });

  test('of a copy that was released and removed is refused', () => {
    const { migrationId } = moved(a, b);
    a.deeds.release(b.deeds.settle(lineage, 2, 'x').settled, 'x');
    a.deeds.mayCollect(migrationId, { by: 'x' });
    expectRefusal(() => a.deeds.claimGround(lineage), 'deed-refused', /given free for removal/);
  });

  // Found by the model: the copy was gone, and a second claim would have made a holder without a disk.
  test('of a copy that was removed is refused still after a claim of another host was heeded', async () => {
    const { migrationId } = moved(a, b);
    a.deeds.release(b.deeds.settle(lineage, 2, 'x').settled, 'x');
    a.deeds.mayCollect(migrationId, { by: 'x' });
    const { identity } = await makeHost();
    const token = 2 + claimStride;
    const lost = { v: 1, kind: 'claim', lineage, from: ada.name, to: identity.name, against: b.identity.name } as const;
    a.deeds.heed(signStatement(ada, { ...lost, token, ...vm, reason: 'it burned down' }), by);
    expectRefusal(() => a.deeds.claimGround(lineage), 'deed-refused', /given free for removal/);
  });

  test('of a copy that was given back is refused to whoever takes it back meanwhile', () => {
    const { migrationId } = moved(a, b);
    b.deeds.beginReturn(lineage, a.identity.name);
    fences(b, migrationId);
    const back = b.deeds.giveBack(migrationId);
    const claim = claimAt(b);
    b.deeds.claim(claim, by);
    expect(stateOf(b)).toMatchObject({ state: 'holder', token: 3 + claimStride });
    expectRefusal(() => b.deeds.settle(lineage, 2, 'x'), 'deed-refused', /nothing of token 2/);
    a.deeds.heed(claim, by);
    expectRefusal(() => a.deeds.takeBack(back), 'claimed');
    const after = reopened(a);
    expect(after.deeds.byLineage(lineage)).toMatchObject({ state: 'ceded', peer: b.identity.name });
  });

  test('is nobody’s but a known operator’s, for this host, this VM, this loser and this token', async () => {
    readyMove(a, b);
    const mallory = await makeHost();
    const forged = signStatement(mallory.identity, { ...claimAt(b).body, from: mallory.identity.name });
    expectRefusal(() => b.deeds.claim(forged, by), 'bad-statement', /from is/);
    const moved = { ...claimAt(b), body: { ...claimAt(b).body, reason: 'another reason' } };
    expectRefusal(() => b.deeds.claim(moved, by), 'bad-statement', /signature/);
    expectRefusal(() => b.deeds.claim(claimAt(b, { to: a.identity.name }), by), 'bad-statement', /to is/);
    expectRefusal(() => b.deeds.claim(claimAt(b, { token: 7 }), by), 'deed-refused', /token is 7/);
    expectRefusal(() => b.deeds.claim(claimAt(b, { against: ada.name }), by), 'deed-refused', /against/);
    expectRefusal(() => a.deeds.heed(claimAt(b, { against: ada.name }), by), 'deed-refused', /against/);
    expect(stateOf(b)).toMatchObject({ state: 'receiving' });
    expect(stateOf(a)).toMatchObject({ state: 'holder' });
  });

  test('that was heeded once cannot be shown again when the VM has come back', () => {
    const { migrationId } = readyMove(a, b);
    const claim = claimAt(b);
    const { run } = b.deeds.claim(claim, by);
    a.deeds.heed(claim, by);
    expectRefusal(() => a.deeds.mayCollect(migrationId, { by: 'x' }), 'deed-refused');
    a.deeds.endIntent(a.deeds.mayQuell(lineage, 'fence', places()).intent.id, true);
    // the holder gives it back to the host that lost it
    b.deeds.beginReturn(lineage, a.identity.name);
    fences(b, run.migrationId);
    const { record } = a.deeds.takeBack(b.deeds.giveBack(run.migrationId));
    expect(record).toMatchObject({ state: 'holder', places: places() });
    expect(a.deeds.heed(claim, by)).toMatchObject({ news: false, record: { state: 'holder' } });
    expectRefusal(() => a.deeds.mayQuell(lineage, 'stop', places()), 'deed-refused', /state is holder/);
  });

  test('is settled and released as a move is, when the other host has heeded it', () => {
    readyMove(a, b);
    const claim = claimAt(b);
    b.deeds.claim(claim, by);
    expectRefusal(() => b.deeds.settle(lineage, 2, 'x'), 'deed-refused', /which .* has not heeded/);
    a.deeds.heed(claim, by);
    const { settled } = b.deeds.settle(lineage, 2 + claimStride, 'x');
    const released = a.deeds.release(settled, 'x');
    expect(released.map(({ token }) => token)).toEqual([2 + claimStride]);
    expect(a.deeds.mayCollect(released[0]!.migrationId, { by: 'x' })).toMatchObject({ collected: true });
  });

  test('is not settled by an order that comes after the VM was given back', () => {
    readyMove(a, b);
    const claim = claimAt(b);
    const { run } = b.deeds.claim(claim, by);
    a.deeds.heed(claim, by);
    b.deeds.beginReturn(lineage, a.identity.name);
    fences(b, run.migrationId);
    const back = b.deeds.giveBack(run.migrationId);
    expectRefusal(() => b.deeds.settle(lineage, 2 + claimStride, 'x'), 'deed-refused', /nothing of token/);
    expect(a.deeds.takeBack(back).record).toMatchObject({ state: 'holder' });
  });

  test('of the copy that was handed over is settled and released as well', () => {
    moved(a, b);
    const claim = claimAt(a);
    a.deeds.claim(claim, by);
    b.deeds.heed(claim, by);
    const { settled } = a.deeds.settle(lineage, 2 + claimStride, 'x');
    const [released] = b.deeds.release(settled, 'x');
    expect(b.deeds.mayCollect(released!.migrationId, { by: 'x' })).toMatchObject({ collected: true });
  });

  test('is not given back by an order that was given before it', () => {
    const { migrationId, ready } = readyMove(a, b);
    const deed = a.deeds.cede(migrationId, ready);
    b.deeds.claim(claimAt(b), by);
    expectRefusal(
      () => b.deeds.beginReturn(lineage, a.identity.name, deed),
      'revert-refused',
      /of token 2, .* by token/,
    );
    expect(b.deeds.beginReturn(lineage, a.identity.name).record.runToken).not.toBe(0);
  });

  test('takes up what a host lost with its database', async () => {
    moved(a, b);
    const anew = await makeHost();
    const body = { ...vm, v: 1, kind: 'claim', lineage, from: ada.name, to: anew.identity.name } as const;
    const lost = { token: 2 + claimStride, against: b.identity.name, reason: 'its root disk died' };
    const claim = signStatement(ada, { ...body, ...lost });
    expect(anew.deeds.claimAnew(claim, by, a.identity.name)).toMatchObject({ state: 'holder' });
    a.deeds.heed(claim, by);
    expect(stateOf(a)).toMatchObject({ state: 'ceded', peer: anew.identity.name });
    const { settled } = anew.deeds.settle(lineage, 2 + claimStride, 'x');
    expect(a.deeds.release(settled, 'x')).toHaveLength(2);
    expectRefusal(() => a.deeds.claimAnew(claimFor(a, claim), by, b.identity.name), 'deed-refused', /has a record/);
    // What was removed is no place to go back to, whoever offers it.
    a.deeds.mayCollect(lastRun(a).migrationId, { by: 'x' });
    const offer = { v: 1, kind: 'deed', lineage, from: anew.identity.name, to: a.identity.name, root: null } as const;
    const back = signStatement(anew.identity, { ...offer, token: 3 + claimStride });
    expectRefusal(() => a.deeds.takeBack(back), 'deed-refused', /given free for removal/);
  });
});

describe('explaining', () => {
  const stepsAt = ({ database, identity }: TestHost, shown: Signed[] = []): string[] =>
    explainSteps(database, { me: identity.name, lineage, shown, operators: [by] }).flatMap(({ step, possible }) =>
      possible ? step : [],
    );

  test('tells the steps that the guards permit, and changes nothing', () => {
    expect(stepsAt(a)).toEqual(['start', 'open']);
    const { migrationId, ready } = readyMove(a, b);
    const before = [a, b].map(({ deeds }) => [
      deeds.records(),
      deeds.runs(),
      deeds.statements(lineage),
      deeds.intents(),
    ]);
    expect(stepsAt(a)).toEqual(['stop', 'fence', 'abort']);
    expect(stepsAt(a, [ready])).toEqual(['stop', 'fence', 'cede', 'abort']);
    expect(stepsAt(b)).toEqual(['claim']);
    expect(
      [a, b].map(({ deeds }) => [deeds.records(), deeds.runs(), deeds.statements(lineage), deeds.intents()]),
    ).toEqual(before);
    const deed = a.deeds.cede(migrationId, ready);
    expect(stepsAt(a)).toEqual(['revert', 'claim']);
    expect(stepsAt(b, [deed])).toEqual(['accept', 'give-back', 'claim']);
    b.deeds.accept(deed);
    // It has arrived, and is set up by the start: before that it does not go on.
    expect(stepsAt(b)).toEqual(['start', 'give-back', 'finish']);
    b.deeds.beginReturn(lineage, a.identity.name);
    fences(b, migrationId);
    expect(stepsAt(b)).toEqual(['stop', 'fence', 'abort', 'give-back']);
    const back = b.deeds.giveBack(migrationId);
    expect(stepsAt(b)).toEqual(['gc', 'claim']);
    expect(stepsAt(a, [back])).toEqual(['take-back', 'revert', 'claim']);
    const claim = claimAt(b);
    expect(stepsAt(a, [claim])).toEqual(['revert', 'claim', 'heed']);
  });

  test('tells what a host may take in that the VM has left before', () => {
    moved(a, b);
    const offer = opens(b, a);
    expect(stepsAt(a)).toEqual(['revert', 'claim']);
    expect(stepsAt(a, [offer])).toEqual(['receive', 'revert', 'claim']);
    receives(a, b, offer);
    expect(stepsAt(a, [offer])).toEqual(['ready']);
    a.deeds.ready(offer.body.migrationId, rootA);
    expect(stepsAt(a, [offer])).not.toContain('ready');
  });
});

/** The same claim for another host. */
function claimFor(host: TestHost, { body }: Signed<Claim>): Signed<Claim> {
  return signStatement(ada, { ...body, to: host.identity.name });
}
