import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { checkMarks, markOf } from '../../deed/marks.ts';
import { deedRecord, isCutShort } from '../../deed/record.ts';
import { signStatement } from '../../deed/statement.ts';
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
  removeHosts,
  reopened,
  vm,
} from './support.ts';
import type { TestHost } from './support.ts';

let a: TestHost;
let b: TestHost;
let lineage: string;
beforeEach(async () => {
  [a, b] = await Promise.all([makeHost(), makeHost()]);
  lineage = adopted(a).lineage;
});
afterEach(removeHosts);

/** The migration of a VM that `a` found running or not, handed to `b` and took back; it is not set up again. */
function cameBack({ running }: { running: boolean }): string {
  const { migrationId, ready } = readyMove(a, b);
  a.deeds.endIntent(a.deeds.mayStop(migrationId, running).intent.id, true);
  b.deeds.accept(a.deeds.cede(migrationId, ready));
  b.deeds.beginReturn(lineage, a.identity.name);
  fences(b, migrationId);
  a.deeds.takeBack(b.deeds.giveBack(migrationId));
  return migrationId;
}

describe('intents', () => {
  test('of starting and unfencing are the idle holder’s only', () => {
    const { migrationId } = opens(a, b).body;
    expectRefusal(() => a.deeds.mayStart(migrationId), 'deed-refused', /start refused: open run is 2, needed 0/);
    expectRefusal(
      () => a.deeds.mayUnfence(migrationId, true),
      'deed-refused',
      /unfence refused: open run is 2, needed 0/,
    );
    a.deeds.abort(migrationId);
    a.deeds.mayUnfence(migrationId, true);
    const second = moved(...ended(a, b)).migrationId;
    expectRefusal(() => a.deeds.mayStart(second), 'deed-refused', /state is ceded, needed holder/);
    expectRefusal(() => a.deeds.mayUnfence(second, true), 'deed-refused', /state is ceded/);
    expect(b.deeds.mayUnfence(second, true).places).toEqual(places('/srv/landing-3'));
  });

  test('of starting and unfencing are refused to a run that another came after', () => {
    const late = (host: TestHost, migrationId: string): void => {
      const intents = host.deeds.intents();
      expectRefusal(() => host.deeds.mayUnfence(migrationId, true), 'run-closed', /had token 2, the record is at 4/);
      expectRefusal(() => host.deeds.mayStart(migrationId), 'run-closed');
      expect(host.deeds.intents()).toEqual(intents);
    };
    const first = moved(a, b).migrationId;
    b.deeds.beginReturn(lineage, a.identity.name);
    fences(b, first);
    a.deeds.takeBack(b.deeds.giveBack(first));
    const unfence = a.deeds.mayUnfence(first, true);
    expect(unfence.places).toEqual(places());
    a.deeds.endIntent(unfence.intent.id, true);
    a.deeds.endIntent(a.deeds.mayStart(first).id, true);
    const second = moved(a, b).migrationId;
    late(b, first);
    b.deeds.mayUnfence(second, true);
    b.deeds.mayUnfence(second, true);
    late(b, first);
  });

  // By a second control plane, before the first had the VM started.
  test('of starting and unfencing are closed for good once the VM is moved on', () => {
    const { migrationId } = moved(a, b);
    const late = (): void => {
      expectRefusal(() => b.deeds.mayUnfence(migrationId, true), 'run-closed', /had token 2, the record is at 3/);
    };
    const next = opens(b, a).body.migrationId;
    late();
    b.deeds.abort(next);
    late();
    moved(b, a);
    expectRefusal(() => b.deeds.mayUnfence(migrationId, true), 'run-closed', /had token 2, the record is at 4/);
  });

  test('of starting and unfencing are the last aborted run’s, not those of one before it', () => {
    const [first, second] = [opens(a, b).body.migrationId, randomUUID()];
    const ask = { ...vm, migrationId: second, to: b.identity.name, method: 'sealed' as const };
    a.deeds.open({ ...ask, supersede: first });
    a.deeds.abort(second);
    expectRefusal(() => a.deeds.mayStart(first), 'run-closed', /had token 2, the record is at 3/);
    a.deeds.mayStart(second);
  });

  test('are one kind at a time, survive the process, and end with their command', () => {
    const { migrationId } = opens(a, b).body;
    const { intent } = a.deeds.mayFence(migrationId, places(), false);
    a.deeds.abort(migrationId);
    a = reopened(a);
    expect(a.deeds.intents(lineage)).toEqual([intent]);
    expectRefusal(() => a.deeds.mayUnfence(migrationId, true), 'intent-open', /the VM's fence/);
    a.deeds.endIntent(intent.id, false);
    a.deeds.endIntent(intent.id, false);
    const unfence = a.deeds.mayUnfence(migrationId, true);
    expect(unfence.places).toEqual(places());
    const second = opens(a, b).body.migrationId;
    expectRefusal(() => a.deeds.mayFence(second, places(), false), 'intent-open', /the VM's unfence/);
    expectRefusal(() => a.deeds.noteFenced(second), 'intent-open');
    a.deeds.endIntent(unfence.intent.id, true);
    expect(a.deeds.byLineage(lineage)?.places).toBeNull();
  });

  test('the places found by the first fence stay until an unfence is done', () => {
    const { migrationId } = opens(a, b).body;
    const found = { ...places(), configPath: '/etc/xen/web-1.cfg' };
    a.deeds.endIntent(a.deeds.mayFence(migrationId, found, false).intent.id, false);
    const again = a.deeds.mayFence(migrationId, places(), false);
    expect(again.places).toEqual(found);
    a.deeds.endIntent(again.intent.id, true);
    a.deeds.abort(migrationId);
    const second = opens(a, b).body.migrationId;
    expect(a.deeds.mayFence(second, places(), false).places).toEqual(found);
  });

  test('the power state found first is what counts until it was restored', () => {
    const { migrationId } = opens(a, b).body;
    const stop = (run: string, running: boolean): boolean => {
      const { intent, wasRunning } = a.deeds.mayStop(run, running);
      a.deeds.endIntent(intent.id, true);
      return wasRunning;
    };
    expect(stop(migrationId, true)).toBe(true);
    expect(stop(migrationId, false)).toBe(true);
    a.deeds.abort(migrationId);
    const second = opens(a, b).body.migrationId;
    expect(stop(second, false)).toBe(true);
    expect(a.deeds.byMigration(second).run.wasRunning).toBe(true);
    a.deeds.abort(second);
    a.deeds.endIntent(a.deeds.mayStart(second).id, true);
    expect(a.deeds.byLineage(lineage)?.wasRunning).toBeNull();
    expect(stop(opens(a, b).body.migrationId, false)).toBe(false);
  });

  test('a VM that came back to stay off does not run by what was found before it went', () => {
    const migrationId = cameBack({ running: true });
    a.deeds.endIntent(a.deeds.mayUnfence(migrationId, false).intent.id, true);
    const next = opens(a, b).body.migrationId;
    expect(a.deeds.mayStop(next, false).wasRunning).toBe(false);
  });

  test('a VM that is to run where it came back to is owed its start from then on', () => {
    const migrationId = cameBack({ running: false });
    a.deeds.endIntent(a.deeds.mayUnfence(migrationId, true).intent.id, true);
    const owed = (): boolean =>
      isCutShort(a.deeds.byMigration(migrationId).record, a.deeds.byMigration(migrationId).run);
    expect(owed()).toBe(true);
    a.deeds.endIntent(a.deeds.mayStart(migrationId).id, true);
    expect(owed()).toBe(false);
  });

  test('of stopping and fencing belong to a run that is open', () => {
    const { migrationId } = moved(a, b);
    expectRefusal(() => a.deeds.mayStop(migrationId, true), 'deed-refused', /run in progress is null/);
    expectRefusal(() => a.deeds.mayFence(migrationId, places(), false), 'deed-refused');
    expectRefusal(() => b.deeds.mayStop(migrationId, true), 'deed-refused', /run in progress is null/);
    expectRefusal(() => b.deeds.mayStop(randomUUID(), true), 'unknown-run');
    b.deeds.beginReturn(lineage, a.identity.name);
    expect(b.deeds.mayStop(migrationId, true).wasRunning).toBe(true);
  });
});

describe('the hold', () => {
  test('ends once, logged, and only for what was ceded', () => {
    expectRefusal(() => a.deeds.settle(lineage, 2, 'operator'), 'deed-refused', /nothing of token 2/);
    const { migrationId } = moved(a, b);
    expectRefusal(() => a.deeds.mayCollect(migrationId, { by: 'operator' }), 'deed-refused', /finish it first/);
    expect(a.deeds.heldRun(lineage)).toMatchObject({ run: { migrationId }, deed: { body: { token: 2 } } });
    const { settled } = b.deeds.settle(lineage, 2, 'operator');
    expect(b.deeds.settle(lineage, 2, 'operator').settled).toEqual(settled);
    expect(a.deeds.release(settled, 'operator')).toMatchObject([{ migrationId, released: true }]);
    expect(a.deeds.release(settled, 'operator')).toHaveLength(1);
    expectRefusal(() => b.deeds.beginReturn(lineage, a.identity.name), 'revert-refused', /came from nowhere/);
    expectRefusal(() => a.deeds.heldRun(lineage), 'revert-refused', /released by finish/);
    expect(a.deeds.mayCollect(migrationId, { by: 'operator' }).places).toEqual(places());
    a.deeds.mayCollect(migrationId, { by: 'operator' });
    expect(a.deeds.events(lineage).map(({ what }) => what)).toEqual(['adopt', 'finish', 'collect']);
    expectRefusal(() => b.deeds.mayCollect(migrationId, { by: 'operator' }), 'deed-refused', /run is accepted/);
  });

  test('ends only by the word of the holder, which excludes a return', () => {
    const { migrationId } = moved(a, b);
    b.deeds.beginReturn(lineage, a.identity.name);
    expectRefusal(() => b.deeds.settle(lineage, 2, 'operator'), 'deed-refused', /on its way back/);
    fences(b, migrationId);
    a.deeds.takeBack(b.deeds.giveBack(migrationId));
    expectRefusal(() => b.deeds.settle(lineage, 2, 'operator'), 'deed-refused', /nothing of token 2/);
    expectRefusal(() => a.deeds.mayCollect(migrationId, { by: 'operator' }), 'deed-refused', /run is returned/);
    expect(b.deeds.mayCollect(migrationId, { by: 'operator' }).collected).toBe(true);
  });

  test('of a later crossing does not end by an order for an earlier one', () => {
    moved(a, b);
    b.deeds.settle(lineage, 2, 'operator');
    moved(b, a);
    moved(a, b);
    b.deeds.settle(lineage, 2, 'operator');
    expect(b.deeds.byLineage(lineage)).toMatchObject({ token: 4, peer: a.identity.name });
    expectRefusal(() => b.deeds.settle(lineage, 3, 'operator'), 'deed-refused', /nothing of token 3/);
  });

  test('ends by the word for this very token, signed by the host it was ceded to', () => {
    moved(a, b);
    const { settled } = b.deeds.settle(lineage, 2, 'operator');
    const forged = {
      ...settled,
      signature: signStatement(a.identity, { ...settled.body, from: a.identity.name }).signature,
    };
    expectRefusal(() => a.deeds.release(forged, 'operator'), 'bad-statement', /signature/);
    const older = signStatement(b.identity, { ...settled.body, token: 1 });
    expectRefusal(() => a.deeds.release(older, 'operator'), 'unknown-run');
  });

  test('of what a holder itself ceded before the VM came back ends with it', () => {
    const { migrationId } = moved(a, b);
    moved(b, a);
    const { released } = a.deeds.settle(lineage, 3, 'operator');
    expect(released).toMatchObject([{ migrationId, released: true }]);
  });

  test('a closed landing that had signed READY is kept until somebody vouches for the source', () => {
    const { migrationId, ready } = readyMove(a, b);
    expectRefusal(() => b.deeds.mayCollect(migrationId, { by: 'operator' }), 'deed-refused', /run is open/);
    b.deeds.closeLanding(migrationId);
    expectRefusal(() => b.deeds.mayCollect(migrationId, { by: 'operator' }), 'deed-refused', /ask the source first/);
    b.deeds.mayCollect(migrationId, { by: 'operator', evenReady: true });
    const deed = a.deeds.cede(migrationId, ready);
    expectRefusal(() => b.deeds.accept(deed), 'deed-refused', /token of READY is 0/);
  });

  test('an abandoned landing goes at once', () => {
    const offer = opens(a, b);
    receives(b, a, offer);
    b.deeds.closeLanding(offer.body.migrationId);
    expect(b.deeds.mayCollect(offer.body.migrationId, { by: 'operator' }).collected).toBe(true);
  });
});

describe('marks', () => {
  test('that are newer than the record, of another lineage, or without a record stop everything', () => {
    const record = deedRecord.parse(a.deeds.byLineage(lineage));
    const mark = markOf(record, 'source');
    checkMarks(record, [null, mark]);
    checkMarks({ ...record, token: 5 }, [mark]);
    checkMarks(null, [null]);
    expectRefusal(
      () => {
        checkMarks(record, [null, { ...mark, token: 2 }]);
      },
      'unknown-state',
      /token 2, source, but the record is at token 1/,
    );
    expectRefusal(
      () => {
        checkMarks(record, [{ ...mark, lineage: '0'.repeat(32) }]);
      },
      'unknown-state',
      /lineage 0{32}/,
    );
    expectRefusal(
      () => {
        checkMarks(null, [mark]);
      },
      'unknown-state',
      /but no record/,
    );
  });

  test('a database put back from an earlier copy is caught by the mark of the fence', () => {
    const before = deedRecord.parse(a.deeds.byLineage(lineage));
    const { migrationId } = moved(a, b);
    const mark = markOf(a.deeds.byMigration(migrationId).record, 'source');
    expectRefusal(
      () => {
        checkMarks(before, [mark]);
      },
      'unknown-state',
      /token 2.*record is at token 1/,
    );
  });
});

test('the record that counts for a VM, notes, and what the host keeps', () => {
  const { migrationId } = moved(a, b);
  b.deeds.setNotes(migrationId, { limitBytesPerSecond: 5 });
  b = reopened(b);
  expect(b.deeds.byMigration(migrationId).run.notes).toEqual({ limitBytesPerSecond: 5 });
  expect(b.deeds.byVm(vm.vmUuid)?.state).toBe('holder');
  expect(b.deeds.byVm(randomUUID())).toBeNull();
  expect(b.deeds.hasRun(randomUUID())).toBe(false);
  expect(b.deeds.inProgress(lineage)).toBeNull();
  expect(b.deeds.identity).toBe(b.identity.name);
  expect(b.deeds.records()).toHaveLength(1);
  expect(b.deeds.statements(lineage).map(({ statement }) => statement.body.kind)).toEqual([
    'offer',
    'key',
    'ready',
    'deed',
  ]);
});

/** The two hosts, with nothing of the source's under way. */
function ended(source: TestHost, destination: TestHost): [TestHost, TestHost] {
  for (const { id } of source.deeds.intents()) source.deeds.endIntent(id, true);
  return [source, destination];
}
