import { describe, expect, test } from '@jest/globals';
import { newRunKey } from '../../seal/run-key.ts';
import { containerKey, diskKey, manifestKey, newSessionKey, sessionContext, streamKeys } from '../../seal/session.ts';
import { unwrapSessionKey, wrapSessionKey } from '../../seal/wrap.ts';
import { recipient } from '../../domain/names.ts';
import { session } from '../../domain/statement.ts';
import { keysOf, refusal, sessionBody, typeThrown } from './support.ts';

describe('a session', () => {
  test('wraps its key to the run key, and only its secret unwraps it', async () => {
    const run = await newRunKey();
    const other = await newRunKey();
    const key = newSessionKey();
    const wrapped = await wrapSessionKey(key, run.recipient);
    expect(recipient.safeParse(run.recipient).success).toBe(true);
    expect(session.safeParse({ ...sessionBody, recipient: run.recipient, wrapped }).success).toBe(true);
    expect((await unwrapSessionKey(wrapped, run.secret)).equals(key)).toBe(true);
    const told = await refusal(unwrapSessionKey(wrapped, other.secret));
    expect(told).toBe("tag-mismatch: the session's key does not unwrap with the run's key");
  });

  test('refuses a wrapped key that is changed, cut, of another length or no age file', async () => {
    const run = await newRunKey();
    const wrapped = Buffer.from(await wrapSessionKey(newSessionKey(), run.recipient), 'base64');
    const forms = [Buffer.alloc(0), wrapped.subarray(0, -1), Buffer.alloc(4096, 0x61)];
    for (let at = 0; at < wrapped.length; at += 7) {
      const changed = Buffer.from(wrapped);
      changed[at] = (changed[at] ?? 0) ^ 1;
      forms.push(changed);
    }
    forms.push(Buffer.from(await wrapSessionKey(Buffer.alloc(31), run.recipient), 'base64'));
    for (const form of forms) {
      expect(await refusal(unwrapSessionKey(form.toString('base64'), run.secret))).toMatch(/^tag-mismatch/);
    }
    expect(await refusal(unwrapSessionKey('AGE', 'no secret'))).toMatch(/^tag-mismatch/);
  });

  test('is named by all that binds it', () => {
    const changes = [
      { lineage: 'f'.repeat(32) },
      { token: 3 },
      { from: sessionBody.to },
      { to: sessionBody.from },
      { number: 2 },
      { recipient: `age1${'p'.repeat(58)}` },
    ];
    const contexts = [
      sessionContext(sessionBody, 'staged'),
      sessionContext(sessionBody, 'sealed'),
      ...changes.map((change) => sessionContext({ ...sessionBody, ...change }, 'staged')),
    ];
    expect(new Set(contexts.map((context) => context.toString('hex'))).size).toBe(changes.length + 2);
    expect(contexts.every((context) => context.length === 32)).toBe(true);
  });

  test('gives every use a key of its own', () => {
    const keys = keysOf();
    const [a, b] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
    const all = [
      keys.key,
      diskKey(keys, 0),
      diskKey(keys, 1),
      manifestKey(keys),
      containerKey(keys),
      ...[streamKeys(keys, a, b), streamKeys(keys, b, a)].flatMap(({ toLanding, toSender }) => [toLanding, toSender]),
      diskKey({ ...keys, context: Buffer.alloc(32) }, 0),
    ];
    expect(new Set(all.map((key) => key.toString('hex'))).size).toBe(all.length);
    expect(all.every((key) => key.length === 32)).toBe(true);
    expect(typeThrown(() => streamKeys(keys, a, Buffer.alloc(31)))).toBe('bad-frame');
  });
});
