import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { signStatement } from '../../deed/statement.ts';
import type { Signed, Offer, Session } from '../../domain/statement.ts';
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

describe('receive', () => {
  const otherRecipient = `age1${'p'.repeat(58)}`;

  test('signs one key for an offer, whatever key comes with a repetition', () => {
    adopted(a);
    const offer = opens(a, b);
    const ask = { offer, from: a.identity.name, recipient, places: places() };
    const key = b.deeds.receive(ask);
    expect(key.body).toMatchObject({ kind: 'key', token: 2, recipient, from: b.identity.name, to: a.identity.name });
    b = reopened(b);
    expect(b.deeds.receive({ ...ask, recipient: otherRecipient })).toEqual(key);
    const { record, run } = b.deeds.byMigration(offer.body.migrationId);
    expect(record).toMatchObject({ ...vm, state: 'receiving', token: 2, peer: a.identity.name });
    expect(run).toMatchObject({ role: 'destination', state: 'open', method: 'sealed' });
  });

  test('is refused for an offer of an unpinned host, for another host, or with the words of another', () => {
    adopted(a);
    const offer = opens(a, b);
    const ask = { from: a.identity.name, recipient, places: places() };
    expectRefusal(() => b.deeds.receive({ ...ask, offer, from: c.identity.name }), 'bad-statement', /from/);
    expectRefusal(() => c.deeds.receive({ ...ask, offer }), 'bad-statement', /to/);
    b.deeds.receive({ ...ask, offer });
    const other = signStatement(a.identity, { ...offer.body, method: 'staged' });
    expectRefusal(() => b.deeds.receive({ ...ask, offer: other }), 'deed-refused', /another offer of migration/);
  });

  test('takes newer offers only, and never as the holder', () => {
    const { lineage } = adopted(a);
    const first = opens(a, b);
    receives(b, a, first);
    const again: Signed<Offer> = signStatement(a.identity, { ...first.body, migrationId: randomUUID() });
    expectRefusal(
      () => {
        receives(b, a, again);
      },
      'deed-refused',
      /token is 2, needed more than 2/,
    );
    a.deeds.abort(first.body.migrationId);
    const second = opens(a, b);
    receives(b, a, second);
    expect(b.deeds.byLineage(lineage)).toMatchObject({ token: 3, state: 'receiving' });
    expect(b.deeds.byMigration(first.body.migrationId).run.state).toBe('aborted');
    expectRefusal(() => {
      receives(b, a, first);
    }, 'run-closed');
    const forged = signStatement(b.identity, {
      ...second.body,
      from: b.identity.name,
      to: a.identity.name,
      token: 9,
      migrationId: randomUUID(),
    });
    expectRefusal(
      () => {
        receives(a, b, forged);
      },
      'deed-refused',
      /this host is the holder/,
    );
  });

  test('is refused where another VM of that uuid is held', () => {
    adopted(a);
    adopted(b);
    expectRefusal(() => {
      receives(b, a, opens(a, b));
    }, 'name-taken');
  });
});

describe('sessions', () => {
  function session(number: number, change: Partial<Session> = {}): Signed<Session> {
    const [run] = b.deeds.runs();
    if (run === undefined) throw new Error('no run');
    const common = { v: 1, lineage: run.lineage, from: a.identity.name, to: b.identity.name, token: 2 } as const;
    return signStatement(a.identity, { ...common, kind: 'session', number, recipient, wrapped: 'YWdl', ...change });
  }

  test('a higher number closes the lower ones, for good', () => {
    adopted(a);
    receives(b, a, opens(a, b));
    expect(b.deeds.acceptSession(session(1)).run.session).toBe(1);
    expect(b.deeds.acceptSession(session(1)).run.session).toBe(1);
    expect(b.deeds.acceptSession(session(3)).run.session).toBe(3);
    b = reopened(b);
    expectRefusal(() => b.deeds.acceptSession(session(2)), 'stale-session', /session 2 of the run, 3 was seen/);
    expect(b.deeds.acceptSession(session(3)).record.state).toBe('receiving');
  });

  test('another key under a number that was seen is refused, and so is another recipient, token or signer', () => {
    adopted(a);
    receives(b, a, opens(a, b));
    b.deeds.acceptSession(session(1));
    expectRefusal(() => b.deeds.acceptSession(session(1, { wrapped: 'YWdm' })), 'deed-refused', /another session 1/);
    const stranger = `age1${'p'.repeat(58)}`;
    expectRefusal(() => b.deeds.acceptSession(session(2, { recipient: stranger })), 'deed-refused', /recipient/);
    expectRefusal(() => b.deeds.acceptSession(session(2, { token: 3 })), 'unknown-run');
    const { body } = session(2);
    const forged = { body, signature: c.identity.sign(body) };
    expectRefusal(() => b.deeds.acceptSession(forged), 'bad-statement');
    expectRefusal(() => b.deeds.acceptSession({ hello: 'landing' }), 'bad-statement');
    expect(b.deeds.runs()).toMatchObject([{ session: 1 }]);
  });

  test('none is let in after READY, nor after the landing was closed', () => {
    adopted(a);
    const offer = opens(a, b);
    receives(b, a, offer);
    b.deeds.ready(offer.body.migrationId, rootA);
    expectRefusal(() => b.deeds.acceptSession(session(1)), 'deed-refused', /READY was signed/);
    b.deeds.closeLanding(offer.body.migrationId);
    expectRefusal(() => b.deeds.acceptSession(session(1)), 'run-closed');
  });
});

describe('ready', () => {
  test('is signed once for one root', () => {
    adopted(a);
    const offer = opens(a, b);
    receives(b, a, offer);
    const { migrationId } = offer.body;
    const ready = b.deeds.ready(migrationId, rootA);
    b = reopened(b);
    expect(b.deeds.ready(migrationId, rootA)).toEqual(ready);
    expectRefusal(() => b.deeds.ready(migrationId, rootB), 'deed-refused', /root is b{64}, needed a{64}/);
    expectRefusal(() => a.deeds.ready(migrationId, rootA), 'deed-refused', /role is source/);
    expectRefusal(() => b.deeds.ready(randomUUID(), rootA), 'unknown-run');
  });

  test('is not signed for a landing that was closed or superseded', () => {
    adopted(a);
    const first = opens(a, b);
    receives(b, a, first);
    b.deeds.closeLanding(first.body.migrationId);
    expectRefusal(() => b.deeds.ready(first.body.migrationId, rootA), 'run-closed');
  });
});

describe('accept', () => {
  test('makes the destination the holder, once', () => {
    adopted(a);
    const { deed, migrationId } = moved(a, b);
    b = reopened(b);
    expect(b.deeds.accept(deed)).toEqual(b.deeds.byMigration(migrationId));
    const { record, run } = b.deeds.byMigration(migrationId);
    expect(record).toMatchObject({ state: 'holder', token: 2, runToken: 0, peer: a.identity.name, places: run.places });
    expect(run.state).toBe('accepted');
    expect(a.deeds.byVm(vm.vmUuid)?.state).toBe('ceded');
  });

  test('is refused for a deed of another token, source, root or addressee', () => {
    adopted(a);
    const { migrationId, ready } = readyMove(a, b);
    const { body } = a.deeds.cede(migrationId, ready);
    const by = (host: TestHost, change: object): unknown =>
      signStatement(host.identity, { ...body, from: host.identity.name, ...change });
    expectRefusal(() => b.deeds.accept(by(a, { token: 3 })), 'unknown-run', /token 3/);
    expectRefusal(() => b.deeds.accept(by(c, {})), 'bad-statement', /from/);
    expectRefusal(() => b.deeds.accept(by(a, { root: rootB })), 'deed-refused', /root is b{64}, needed a{64}/);
    expectRefusal(() => b.deeds.accept(by(a, { root: null })), 'deed-refused', /root is null/);
    expectRefusal(() => b.deeds.accept(by(a, { to: c.identity.name })), 'bad-statement', /to/);
    expectRefusal(() => b.deeds.accept({ body, signature: 'A'.repeat(86) }), 'bad-statement', /signature/);
    expect(b.deeds.byMigration(migrationId).record.state).toBe('receiving');
  });

  test('is refused for the deed of an older run, and without READY of its own', () => {
    adopted(a);
    const { migrationId, ready } = readyMove(a, b);
    const { body } = ready;
    const early = signStatement(a.identity, { ...body, from: a.identity.name, to: b.identity.name, kind: 'deed' });
    a.deeds.abort(migrationId);
    const second = opens(a, b);
    receives(b, a, second);
    expectRefusal(() => b.deeds.accept(early), 'deed-refused', /token is 2, needed 3/);
    const unready = signStatement(a.identity, { ...early.body, token: 3 });
    expectRefusal(() => b.deeds.accept(unready), 'deed-refused', /token of READY is 2, needed 3/);
  });

  test('still takes a deed for a closed landing that had signed READY: the source may have ceded', () => {
    adopted(a);
    const { migrationId, ready } = readyMove(a, b);
    expect(b.deeds.closeLanding(migrationId).state).toBe('aborted');
    expect(b.deeds.closeLanding(migrationId).state).toBe('aborted');
    const deed = a.deeds.cede(migrationId, ready);
    expect(b.deeds.accept(deed).record.state).toBe('holder');
    expect(b.deeds.closeLanding(migrationId).state).toBe('accepted');
  });

  test('a late deed of before does nothing to a VM that has moved on', () => {
    adopted(a);
    const { deed } = moved(a, b);
    const { deed: onward } = moved(b, c);
    expectRefusal(() => b.deeds.accept(deed), 'run-closed', /had token 2, the record is at 3/);
    expect(c.deeds.accept(onward).record).toMatchObject({ state: 'holder', token: 3 });
    const third = opens(c, b);
    receives(b, c, third);
    fences(c, third.body.migrationId);
    expectRefusal(() => b.deeds.accept(deed), 'run-closed', /had token 2, the record is at 4/);
  });
});
