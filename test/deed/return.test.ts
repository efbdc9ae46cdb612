import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { signStatement } from '../../deed/statement.ts';
import type { Deed, Signed } from '../../domain/statement.ts';
import {
  adopted,
  expectRefusal,
  fences,
  makeHost,
  moved,
  opens,
  readyMove,
  removeHosts,
  reopened,
  rootA,
  vm,
} from './support.ts';
import type { TestHost } from './support.ts';

let a: TestHost;
let b: TestHost;
let c: TestHost;
let lineage: string;
beforeEach(async () => {
  [a, b, c] = await Promise.all([makeHost(), makeHost(), makeHost()]);
  lineage = adopted(a).lineage;
});
afterEach(removeHosts);

function givesBack(migrationId: string): Signed<Deed> {
  b.deeds.beginReturn(lineage, a.identity.name);
  fences(b, migrationId);
  return b.deeds.giveBack(migrationId);
}

describe('the way back', () => {
  test('ends with the source as holder one token on; every step may come twice', () => {
    const { migrationId, deed } = moved(a, b);
    const returning = b.deeds.beginReturn(lineage, a.identity.name);
    expect(returning.record).toMatchObject({ state: 'holder', runToken: 3, token: 2 });
    expect(b.deeds.beginReturn(lineage, a.identity.name)).toEqual(returning);
    fences(b, migrationId);
    const back = b.deeds.giveBack(migrationId);
    expect(back.body).toMatchObject({ kind: 'deed', token: 3, root: null, to: a.identity.name });
    b = reopened(b);
    expect(b.deeds.giveBack(migrationId)).toEqual(back);
    expect(b.deeds.byLineage(lineage)).toMatchObject({ state: 'none', token: 3, runToken: 0 });
    const taken = a.deeds.takeBack(back);
    a = reopened(a);
    expect(a.deeds.takeBack(back)).toEqual(taken);
    expect(taken.record).toMatchObject({ state: 'holder', token: 3, peer: null });
    expect(taken.run).toMatchObject({ migrationId, state: 'returned' });
    expectRefusal(() => b.deeds.accept(deed), 'run-closed', /had token 2, the record is at 3/);
    expectRefusal(() => a.deeds.abort(migrationId), 'abort-refused', /was returned/);
    expectRefusal(() => opens(a, b, migrationId), 'run-closed');
    expect(moved(a, b).deed.body.token).toBe(4);
    expectRefusal(() => a.deeds.takeBack(back), 'run-closed', /had token 2, the record is at 4/);
  });

  test('is possible before the accept, with the deed shown', () => {
    const { migrationId, ready } = readyMove(a, b);
    const deed = a.deeds.cede(migrationId, ready);
    expectRefusal(() => b.deeds.beginReturn(lineage, a.identity.name), 'revert-refused', /no deed of token 2/);
    b.deeds.beginReturn(lineage, a.identity.name, deed);
    expectRefusal(() => b.deeds.accept(deed), 'deed-refused', /on its way back is 3, needed 0/);
    fences(b, migrationId);
    expect(a.deeds.takeBack(b.deeds.giveBack(migrationId)).record.state).toBe('holder');
  });

  test('of a later crossing does not begin by an order for an earlier one', () => {
    const { migrationId, deed } = moved(a, b);
    a.deeds.takeBack(givesBack(migrationId));
    moved(a, b);
    expectRefusal(
      () => b.deeds.beginReturn(lineage, a.identity.name, deed),
      'revert-refused',
      /of token 2, .* by token 4/,
    );
    expect(b.deeds.byLineage(lineage)).toMatchObject({ token: 4, runToken: 0 });
  });

  test('can be given up until the right is given back', () => {
    const { migrationId } = moved(a, b);
    b.deeds.beginReturn(lineage, a.identity.name);
    expect(b.deeds.abortReturn(migrationId)).toMatchObject({ runToken: 0, state: 'holder' });
    expect(b.deeds.abortReturn(migrationId)).toMatchObject({ runToken: 0, state: 'holder' });
    givesBack(migrationId);
    expectRefusal(() => b.deeds.abortReturn(migrationId), 'abort-refused', /was given back/);
  });
});

describe('beginReturn is refused', () => {
  test('by who does not have the VM, never had it from there, or has opened a run since', () => {
    expectRefusal(() => a.deeds.beginReturn(lineage, b.identity.name), 'revert-refused', /came from nowhere/);
    expectRefusal(() => b.deeds.beginReturn(lineage, a.identity.name), 'not-adopted');
    moved(a, b);
    expectRefusal(() => a.deeds.beginReturn(lineage, b.identity.name), 'revert-refused', /says ceded/);
    expectRefusal(() => b.deeds.beginReturn(lineage, c.identity.name), 'revert-refused', /not from/);
    const onward = opens(b, c).body.migrationId;
    expectRefusal(() => b.deeds.beginReturn(lineage, a.identity.name), 'revert-refused', /a run was opened since/);
    b.deeds.abort(onward);
    expectRefusal(() => b.deeds.beginReturn(lineage, a.identity.name), 'revert-refused', /a run was opened since/);
  });

  test('and a return in progress keeps other runs out, unless it is superseded', () => {
    const { migrationId } = moved(a, b);
    b.deeds.beginReturn(lineage, a.identity.name);
    expectRefusal(() => opens(b, c), 'run-open', new RegExp(migrationId));
    expectRefusal(() => b.deeds.mayStart(migrationId), 'deed-refused', /open run is 3, needed 0/);
    const ask = {
      ...vm,
      migrationId: '0b0e7f4e-6a43-4b0c-8f0c-53f0b5c5a001',
      to: c.identity.name,
      method: 'sealed' as const,
    };
    expect(b.deeds.open({ ...ask, supersede: migrationId }).body.token).toBe(3);
    expect(b.deeds.byMigration(migrationId).run.state).toBe('accepted');
    expectRefusal(() => b.deeds.giveBack(migrationId), 'deed-refused', /token is 3, needed 2/);
  });
});

test('giveBack is refused before the return was begun, fenced, and quiet', () => {
  const { migrationId } = moved(a, b);
  expectRefusal(() => b.deeds.giveBack(migrationId), 'deed-refused', /on its way back is 0, needed 3/);
  b.deeds.beginReturn(lineage, a.identity.name);
  expectRefusal(() => b.deeds.giveBack(migrationId), 'deed-refused', /fenced for run is 0, needed 3/);
  fences(b, migrationId);
  const { intent } = b.deeds.mayStop(migrationId, false);
  expectRefusal(() => b.deeds.giveBack(migrationId), 'intent-open');
  b.deeds.endIntent(intent.id, true);
  expect(b.deeds.giveBack(migrationId).body.token).toBe(3);
});

test('takeBack takes the next token of the host it was ceded to, and nothing else', () => {
  const { migrationId, deed } = moved(a, b);
  const back = givesBack(migrationId);
  const by = (host: TestHost, change: object): unknown =>
    signStatement(host.identity, { ...back.body, from: host.identity.name, ...change });
  expectRefusal(() => a.deeds.takeBack(by(c, {})), 'bad-statement', /from/);
  expectRefusal(() => a.deeds.takeBack(by(b, { token: 4 })), 'unknown-run');
  expectRefusal(() => a.deeds.takeBack(by(b, { root: rootA })), 'deed-refused', /root/);
  expectRefusal(() => a.deeds.takeBack(deed), 'unknown-run');
  expectRefusal(() => b.deeds.takeBack(back), 'deed-refused', /role is destination/);
  a.deeds.takeBack(back);
  moved(a, c);
  expectRefusal(() => a.deeds.takeBack(back), 'run-closed', /had token 2, the record is at 4/);
});
