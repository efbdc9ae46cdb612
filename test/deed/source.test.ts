import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { signStatement } from '../../deed/statement.ts';
import type { Ready } from '../../domain/statement.ts';
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
  recipient,
  removeHosts,
  reopened,
  rootA,
  rootB,
  vm,
} from './support.ts';
import type { TestHost } from './support.ts';

let a: TestHost;
let b: TestHost;
let c: TestHost;
beforeEach(async () => {
  [a, b, c] = await Promise.all([makeHost(), makeHost(), makeHost()]);
});
afterEach(removeHosts);

describe('adopt', () => {
  test('draws a lineage once and logs who asked', () => {
    const record = adopted(a);
    expect(record).toMatchObject({ ...vm, token: 1, state: 'holder', runToken: 0, peer: null });
    expect(adopted(a)).toEqual(record);
    expect(a.deeds.events(record.lineage)).toMatchObject([{ who: 'operator', what: 'adopt' }]);
    expect(adopted(b).lineage).not.toBe(record.lineage);
  });

  test('is refused where an older record says that the VM went elsewhere', () => {
    adopted(a);
    moved(a, b);
    expectRefusal(() => adopted(a), 'adoption-refused', /ceded, token 2/);
    expect(adopted(b).token).toBe(2);
  });
});

describe('open', () => {
  test('is keyed by the migration: the same offer while it is open or ceded, also after a crash', () => {
    adopted(a);
    const migrationId = randomUUID();
    const offer = opens(a, b, migrationId);
    expect(offer.body).toMatchObject({ ...vm, migrationId, token: 2, method: 'sealed', to: b.identity.name });
    a = reopened(a);
    expect(opens(a, b, migrationId)).toEqual(offer);
    expect(a.deeds.byMigration(migrationId).record).toMatchObject({ token: 2, runToken: 2, state: 'holder' });
    receives(b, a, offer);
    fences(a, migrationId);
    a.deeds.noteRead(migrationId, rootA);
    a.deeds.cede(migrationId, b.deeds.ready(migrationId, rootA));
    expect(opens(a, b, migrationId)).toEqual(offer);
  });

  test('is refused for the same migration with other words', () => {
    adopted(a);
    const migrationId = randomUUID();
    opens(a, b, migrationId);
    const same = { ...vm, migrationId, to: b.identity.name, method: 'sealed' as const };
    expectRefusal(() => a.deeds.open({ ...same, to: c.identity.name }), 'deed-refused', /open refused: to is ed25519/);
    expectRefusal(() => a.deeds.open({ ...same, method: 'staged' }), 'deed-refused', /method is staged, needed sealed/);
    expectRefusal(() => a.deeds.open({ ...same, vmUuid: randomUUID() }), 'deed-refused', /vmUuid/);
  });

  test('refuses a second move while one is open, unless that one is named', () => {
    adopted(a);
    const [first, second] = [randomUUID(), randomUUID()];
    opens(a, b, first);
    const move = { ...vm, migrationId: second, to: c.identity.name, method: 'sealed' as const };
    expectRefusal(() => a.deeds.open(move), 'run-open', new RegExp(first));
    expectRefusal(() => a.deeds.open({ ...move, supersede: randomUUID() }), 'run-open');
    expect(a.deeds.byMigration(first).run.state).toBe('open');
    const offer = a.deeds.open({ ...move, supersede: first });
    expect(offer.body.token).toBe(3);
    expect(a.deeds.byMigration(first).run.state).toBe('aborted');
    expect(a.deeds.open({ ...move, supersede: first })).toEqual(offer);
    expectRefusal(() => opens(a, b, first), 'run-closed');
  });

  test('is refused without a record, by who is not the holder, and towards itself', () => {
    expectRefusal(() => opens(a, b), 'not-adopted');
    adopted(a);
    expectRefusal(() => opens(a, a), 'deed-refused', /destination is the source/);
    moved(a, b);
    expectRefusal(() => opens(a, c), 'deed-refused', /state is ceded, needed holder/);
  });
});

describe('sessions', () => {
  test('are counted durably, and sealed only to the key that the destination signed for this run', () => {
    adopted(a);
    const migrationId = randomUUID();
    const offer = opens(a, b, migrationId);
    const ask = { offer, from: a.identity.name, recipient, places: places() };
    const key = b.deeds.receive(ask);
    expect(a.deeds.nextSession(migrationId)).toBe(1);
    const wrapped = 'YWdl';
    expectRefusal(
      () => a.deeds.signSession(migrationId, { number: 1, recipient, wrapped }),
      'deed-refused',
      /recipient/,
    );
    expectRefusal(() => a.deeds.acceptKey(migrationId, { ...key, signature: offer.signature }), 'bad-statement');
    expect(a.deeds.acceptKey(migrationId, key)).toEqual(key);
    a = reopened(a);
    expect(a.deeds.nextSession(migrationId)).toBe(2);
    expectRefusal(
      () => a.deeds.signSession(migrationId, { number: 1, recipient, wrapped }),
      'deed-refused',
      /number is 1, needed 2/,
    );
    expect(a.deeds.signSession(migrationId, { number: 2, recipient, wrapped }).body.number).toBe(2);
    a.deeds.abort(migrationId);
    expectRefusal(() => a.deeds.nextSession(migrationId), 'run-closed');
  });

  test('another key for the same run is refused', () => {
    adopted(a);
    const migrationId = randomUUID();
    const offer = opens(a, b, migrationId);
    const key = b.deeds.receive({ offer, from: a.identity.name, recipient, places: places() });
    a.deeds.acceptKey(migrationId, key);
    const other = signStatement(b.identity, { ...key.body, recipient: `age1${'p'.repeat(58)}` });
    expectRefusal(() => a.deeds.acceptKey(migrationId, other), 'deed-refused', /recipient/);
  });
});

describe('cede', () => {
  test('signs the deed once, and gives the same again', () => {
    adopted(a);
    const { migrationId, ready } = readyMove(a, b);
    const deed = a.deeds.cede(migrationId, ready);
    expect(deed.body).toMatchObject({ kind: 'deed', token: 2, root: rootA, to: b.identity.name });
    const { record } = a.deeds.byMigration(migrationId);
    expect(record).toMatchObject({ state: 'ceded', runToken: 0, peer: b.identity.name, token: 2, places: places() });
    a = reopened(a);
    expect(a.deeds.cede(migrationId, ready)).toEqual(deed);
    const lineage = record.lineage;
    expect(a.deeds.statements(lineage).map(({ statement }) => statement.body.kind)).toEqual(['offer', 'ready', 'deed']);
  });

  test('is refused before the fence, before the own reading, and after either is void', () => {
    adopted(a);
    const migrationId = randomUUID();
    const offer = opens(a, b, migrationId);
    receives(b, a, offer);
    const ready = b.deeds.ready(migrationId, rootA);
    expectRefusal(() => a.deeds.noteRead(migrationId, rootA), 'deed-refused', /fenced for run is 0, needed 2/);
    expectRefusal(() => a.deeds.cede(migrationId, ready), 'deed-refused', /fenced for run is 0, needed 2/);
    expectRefusal(() => a.deeds.noteFenced(migrationId), 'deed-refused', /no fence was begun/);
    fences(a, migrationId);
    expectRefusal(() => a.deeds.cede(migrationId, ready), 'deed-refused', /has not read its disks/);
    a.deeds.noteRead(migrationId, rootA);
    // the fence is found broken, and the process dies while it is put on again: the next one finds it in place
    a.deeds.mayFence(migrationId, places(), false);
    a = reopened(a);
    expectRefusal(() => a.deeds.cede(migrationId, ready), 'deed-refused', /fenced for run is 0, needed 2/);
    a.deeds.noteFenced(migrationId);
    expectRefusal(() => a.deeds.cede(migrationId, ready), 'deed-refused', /has not read its disks/);
    a.deeds.noteRead(migrationId, rootA);
    // found in place
    a.deeds.endIntent(a.deeds.mayFence(migrationId, places(), true).intent.id, true);
    a.deeds.noteFenced(migrationId);
    expect(a.deeds.cede(migrationId, ready).body.root).toBe(rootA);
  });

  test('is refused for other bytes than the source read', () => {
    adopted(a);
    const { migrationId, ready } = readyMove(a, b);
    a.deeds.noteRead(migrationId, rootB);
    expectRefusal(() => a.deeds.cede(migrationId, ready), 'manifest-mismatch', /root is a{64}, the source read b{64}/);
    expect(a.deeds.byMigration(migrationId).record.state).toBe('holder');
  });

  test('is refused for a READY of another host, run or lineage', () => {
    const { lineage } = adopted(a);
    const { migrationId, ready } = readyMove(a, b);
    const by = (host: TestHost, change: Partial<Ready>): unknown =>
      signStatement(host.identity, { ...ready.body, from: host.identity.name, ...change });
    expectRefusal(() => a.deeds.cede(migrationId, by(c, {})), 'bad-statement', /from/);
    expectRefusal(() => a.deeds.cede(migrationId, by(b, { token: 3 })), 'deed-refused', /token is 3, needed 2/);
    expectRefusal(() => a.deeds.cede(migrationId, by(b, { token: 1 })), 'deed-refused', /token is 1, needed 2/);
    const other = lineage.startsWith('0') ? '1'.repeat(32) : '0'.repeat(32);
    expectRefusal(() => a.deeds.cede(migrationId, by(b, { lineage: other })), 'bad-statement', /lineage/);
    expectRefusal(() => a.deeds.cede(migrationId, by(b, { to: c.identity.name })), 'bad-statement', /to/);
  });

  test('is refused while a command on the VM is under way, and after an abort or a newer run', () => {
    const { lineage } = adopted(a);
    const { migrationId, ready } = readyMove(a, b);
    const { intent } = a.deeds.mayStop(migrationId, false);
    expectRefusal(() => a.deeds.cede(migrationId, ready), 'intent-open', /the VM's stop/);
    a.deeds.endIntent(intent.id, true);
    a.deeds.abort(migrationId);
    expectRefusal(() => a.deeds.cede(migrationId, ready), 'run-closed');
    expect(a.deeds.byLineage(lineage)).toMatchObject({ runToken: 0, seenRoot: null, fencedToken: 0, state: 'holder' });
    const second = opens(a, b);
    expectRefusal(() => a.deeds.cede(second.body.migrationId, ready), 'deed-refused', /token is 2, needed 3/);
  });
});

describe('abort', () => {
  test('ends the run, as often as it is asked', () => {
    adopted(a);
    const { migrationId } = readyMove(a, b);
    const record = a.deeds.abort(migrationId);
    expect(record).toMatchObject({ runToken: 0, token: 2, state: 'holder' });
    expect(a.deeds.abort(migrationId)).toMatchObject(record);
    expect(opens(a, b).body.token).toBe(3);
    expect(a.deeds.abort(migrationId)).toMatchObject({ runToken: 3 });
  });

  test('is refused after the cede', () => {
    adopted(a);
    const { migrationId } = moved(a, b);
    expectRefusal(() => a.deeds.abort(migrationId), 'abort-refused', /was ceded/);
    expectRefusal(() => b.deeds.abort(migrationId), 'deed-refused', /role is destination, needed source/);
  });

  test('of a run that was never opened withdraws it: the open that comes late is refused', () => {
    adopted(a);
    const migrationId = randomUUID();
    expectRefusal(() => a.deeds.abort(migrationId), 'unknown-run');
    a = reopened(a);
    expectRefusal(() => opens(a, b, migrationId), 'run-closed', /before it was opened/);
    expect(a.deeds.byVm(vm.vmUuid)).toMatchObject({ token: 1, runToken: 0 });
  });
});
