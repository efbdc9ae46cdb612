import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { checkStatement, claimOf, signStatement } from '../../deed/statement.ts';
import type { Signed, StatementBody } from '../../domain/statement.ts';
import { expectRefusal, makeHost, recipient, removeHosts, rootA, rootB, vm } from './support.ts';
import type { TestHost } from './support.ts';

let a: TestHost;
let b: TestHost;
let stranger: TestHost;
beforeAll(async () => {
  [a, b, stranger] = await Promise.all([makeHost(), makeHost(), makeHost()]);
});
afterAll(removeHosts);

const lineage = '1'.repeat(32);

function bodies(): StatementBody[] {
  const common = { v: 1, lineage, from: a.identity.name, to: b.identity.name, token: 2 } as const;
  const migrationId = '0b0e7f4e-6a43-4b0c-8f0c-53f0b5c5a001';
  return [
    { ...common, kind: 'offer', migrationId, ...vm, method: 'sealed' },
    { ...common, kind: 'key', recipient },
    { ...common, kind: 'session', number: 1, recipient, wrapped: 'YWdl' },
    { ...common, kind: 'ready', root: rootA },
    { ...common, kind: 'deed', root: rootA },
    { ...common, kind: 'tunnel', publicKey: 'k'.repeat(43) },
  ];
}

/** Another valid value for each field. */
function altered(): Record<string, unknown> {
  return {
    v: 2,
    lineage: '2'.repeat(32),
    from: stranger.identity.name,
    to: stranger.identity.name,
    token: 3,
    kind: 'other',
    migrationId: '0b0e7f4e-6a43-4b0c-8f0c-53f0b5c5a002',
    vmUuid: '6f1f7d1c-6d0b-4c3e-9b62-0d3f1c1f2a11',
    vmName: 'web-2',
    method: 'staged',
    recipient: `age1${'p'.repeat(58)}`,
    number: 2,
    wrapped: 'YWdm',
    root: rootB,
    publicKey: 'l'.repeat(43),
  };
}

describe('each kind of statement', () => {
  test('is taken as it was signed, also after a trip through JSON', () => {
    for (const body of bodies()) {
      const signed = signStatement(a.identity, body);
      const taken: unknown = JSON.parse(JSON.stringify(signed));
      expect(checkStatement(taken, { kind: body.kind, from: a.identity.name, to: b.identity.name, lineage })).toEqual(
        signed,
      );
      expect(claimOf(body.kind, taken)).toEqual({ lineage, token: 2 });
    }
  });

  test('is refused with any field changed, added or left out', () => {
    let changes = 0;
    for (const body of bodies()) {
      const signed = signStatement(a.identity, body);
      const check = (changed: unknown): void => {
        expectRefusal(() => checkStatement(changed, { kind: body.kind, from: a.identity.name }), 'bad-statement');
        changes += 1;
      };
      for (const field of Object.keys(body)) {
        check({ ...signed, body: { ...body, [field]: altered()[field] } });
        check({ ...signed, body: Object.fromEntries(Object.entries(body).filter(([key]) => key !== field)) });
      }
      check({ ...signed, body: { ...body, more: 1 } });
      check({ ...signed, more: 1 });
      check({ body });
    }
    expect(changes).toBeGreaterThan(80);
  });

  test('is refused with a changed signature, or the signature of another kind', () => {
    const all = bodies().map((body) => signStatement(a.identity, body));
    for (const [index, signed] of all.entries()) {
      const { kind } = signed.body;
      const flipped = `${signed.signature.startsWith('A') ? 'B' : 'A'}${signed.signature.slice(1)}`;
      const foreign = all[(index + 1) % all.length]?.signature;
      for (const signature of [flipped, foreign]) {
        const forged = { ...signed, signature };
        expectRefusal(() => checkStatement(forged, { kind, from: a.identity.name }), 'bad-statement', /signature/);
      }
    }
  });
});

test('the message names the field that is not as expected', () => {
  const ready: StatementBody = {
    v: 1,
    lineage,
    from: a.identity.name,
    to: b.identity.name,
    token: 2,
    kind: 'ready',
    root: rootA,
  };
  const signed: Signed = signStatement(a.identity, ready);
  const from = a.identity.name;
  const cases: [Parameters<typeof checkStatement>[1], RegExp][] = [
    [{ kind: 'ready', from: b.identity.name }, /ready: from is ed25519:.*, expected ed25519:/],
    [{ kind: 'ready', from, to: a.identity.name }, /ready: to is/],
    [{ kind: 'ready', from, lineage: '2'.repeat(32) }, /ready: lineage is 1{32}, expected 2{32}/],
    [{ kind: 'ready', from, token: 3 }, /ready: token is 2, expected 3/],
    [{ kind: 'deed', from }, /deed: body.kind is malformed/],
  ];
  for (const [expected, message] of cases) {
    expectRefusal(() => checkStatement(signed, expected), 'bad-statement', message);
  }
  for (const nonsense of [null, 'deed', 7, [], { body: null }]) {
    expectRefusal(() => checkStatement(nonsense, { kind: 'deed', from }), 'bad-statement');
  }
});

test('a wrong signer: who signs in the name of another host is refused at both ends', () => {
  const body: StatementBody = {
    v: 1,
    lineage,
    from: a.identity.name,
    to: b.identity.name,
    token: 2,
    kind: 'deed',
    root: rootA,
  };
  expectRefusal(() => signStatement(stranger.identity, body), 'bad-statement', /from/);
  const forged = { body, signature: stranger.identity.sign(body) };
  expectRefusal(() => checkStatement(forged, { kind: 'deed', from: a.identity.name }), 'bad-statement', /signature/);
});
