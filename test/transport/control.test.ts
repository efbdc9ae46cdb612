import { randomBytes } from 'node:crypto';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  ControlOpener,
  ControlSealer,
  controlBodyBytes,
  controlKind,
  decodeRecordDigest,
  encodeRecordDigest,
} from '../../transport/control.ts';

const headBytes = 48;

test("a record's digest crosses as it was told", () => {
  const key = randomBytes(32);
  const [sealer, opener] = [new ControlSealer(key), new ControlOpener(key)];
  const told = fc.record({
    disk: fc.nat({ max: 0xffff }),
    index: fc.nat({ max: 0xffffffff }),
    counter: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    digest: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((array) => Buffer.from(array)),
  });
  fc.assert(
    fc.property(told, (one) => {
      const frame = sealer.seal(controlKind.digest, encodeRecordDigest(one));
      const [head, body] = [frame.subarray(0, headBytes), frame.subarray(headBytes)];
      expect(controlBodyBytes(head)).toBe(body.length);
      const { kind, payload } = opener.open(head, body);
      expect(kind).toBe(controlKind.digest);
      expect(decodeRecordDigest(payload)).toEqual(one);
    }),
  );
});

test('a digest of another length is a bad frame', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (payload) => {
      fc.pre(payload.length !== 46);
      expect(() => decodeRecordDigest(Buffer.from(payload))).toThrow(expect.objectContaining({ type: 'bad-frame' }));
    }),
  );
});
