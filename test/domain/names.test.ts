import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { digest, hostName, identity, lineage, poolName, vdev, vmName, vmUuid } from '../../domain/names.ts';

describe('names', () => {
  test.each([
    [hostName, ['lon-1', 'a', 'a.b-c', 'x'.repeat(63)], ['', '-a', 'a-', 'A', 'a_b', 'x'.repeat(64), 'a b', 'a\n']],
    [
      vmName,
      ['web-1', '_x', 'a+b:c.d', 'A'.repeat(80)],
      ['', '-x', '.x', 'a/b', 'a b', '../a', 'a\0', 'A'.repeat(81), 'a\n'],
    ],
    [poolName, ['fast', '0', 'a_b-c'], ['', '_a', 'A', 'a'.repeat(33), 'a/b', 'a\n']],
    [vdev, ['xvda', 'hdc', 'sda1'], ['', '1a', 'xvd-a', 'x'.repeat(17), 'a\n']],
    [lineage, ['0123456789abcdef'.repeat(2)], ['0'.repeat(31), 'G'.repeat(32), 'A'.repeat(32)]],
    [digest, ['ab'.repeat(32)], ['ab'.repeat(31), 'AB'.repeat(32)]],
    [
      identity,
      [`ed25519:${'A'.repeat(43)}`],
      [`ed25519:${'A'.repeat(42)}`, 'A'.repeat(43), `ed25519:${'='.repeat(43)}`],
    ],
  ])('takes good ones and refuses bad ones', (schema, good, bad) => {
    for (const text of good) expect([text, schema.safeParse(text).success]).toEqual([text, true]);
    for (const text of bad) expect([text, schema.safeParse(text).success]).toEqual([text, false]);
  });

  test('a uuid is one in lower case', () => {
    expect(vmUuid.parse('3F1F8A52-8D4E-4A2B-9A53-0B7F6F0F7A01')).toBe('3f1f8a52-8d4e-4a2b-9a53-0b7f6f0f7a01');
  });

  test('what is a name can stand in an argument vector and as one part of a path', () => {
    for (const schema of [hostName, vmName, poolName, vdev]) {
      fc.assert(
        fc.property(fc.string({ unit: 'binary', maxLength: 90 }), (text) => {
          if (schema.safeParse(text).success) expect(text).toMatch(/^(?![-.])[^/\0\s]+$/);
        }),
      );
    }
  });
});
