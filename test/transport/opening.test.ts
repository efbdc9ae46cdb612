import { randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  checkHello,
  decodeHello,
  decodeOpeningHead,
  decodeWelcome,
  encodeHello,
  encodeWelcome,
  openingHeadBytes,
  openingKind,
} from '../../transport/opening.ts';
import { mostUnprovedBytes } from '../../transport/tuning.ts';

const keys = { key: randomBytes(32), context: randomBytes(32) };
const bytes = (length: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((array) => Buffer.from(array));
const statement = fc.uint8Array({ minLength: 2, maxLength: 8 * 1024 }).map((array) => Buffer.from(array));
const stream = fc.nat({ max: 0xffff });

function split(frame: Buffer): { head: ReturnType<typeof decodeOpeningHead>; body: Buffer } {
  return { head: decodeOpeningHead(frame), body: frame.subarray(openingHeadBytes) };
}

describe('a hello', () => {
  test('says what it was given, in no more than a landing takes unproved', () => {
    fc.assert(
      fc.property(bytes(32), stream, statement, (random, number, said) => {
        const frame = encodeHello(keys, random, number, said);
        expect(frame.length).toBeLessThanOrEqual(mostUnprovedBytes);
        const { head, body } = split(frame);
        expect(head).toMatchObject({ kind: openingKind.hello, bodyBytes: body.length });
        const hello = decodeHello(body);
        expect(hello).toMatchObject({ random, stream: number, statement: said });
        checkHello(keys, hello);
      }),
    );
  });

  test('of the usual length opens the window of its connection twice as wide', () => {
    expect(encodeHello(keys, randomBytes(32), 0, randomBytes(900))).toHaveLength(14_400);
  });

  test('parses or is a bad frame, whatever its bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 70, maxLength: 200 }), (body) => {
        try {
          expect(decodeHello(Buffer.from(body)).statement.length).toBeLessThanOrEqual(body.length);
        } catch (error) {
          expect(error).toMatchObject({ type: 'bad-frame' });
        }
      }),
    );
  });
});

test('nobody on the way can change a bit of a welcome', () => {
  const sent = { random: randomBytes(32), stream: 3 };
  const hello = { ...sent, mac: Buffer.alloc(32), statement: Buffer.alloc(2) };
  fc.assert(
    fc.property(fc.nat({ max: 1 }), fc.boolean(), fc.nat({ max: 67 * 8 - 1 }), (thread, holds, bit) => {
      const random = randomBytes(32);
      const { head, body } = split(encodeWelcome(keys, hello, { random, thread, threads: 2, holds }));
      expect(head.bodyBytes).toBe(67);
      expect(decodeWelcome(keys, sent, body)).toEqual({ random, thread, threads: 2, holds });
      body.writeUInt8(body.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      expect(() => decodeWelcome(keys, sent, body)).toThrow(expect.objectContaining({ type: 'tag-mismatch' }));
    }),
  );
});
