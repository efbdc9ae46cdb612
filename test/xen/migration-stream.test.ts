import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decodeHead, encodeHead, headBytes } from '../../infra/lab/migration-stream.ts';
import { ConfigSwap } from '../../xen/migration-stream.ts';

/** What a swap makes of a stream that comes in these pieces. */
function swapped(config: string, stream: Buffer, cuts: number[]): Buffer {
  const swap = new ConfigSwap(config);
  const ends = [...cuts.map((cut) => cut % (stream.length + 1)).sort((a, b) => a - b), stream.length];
  let at = 0;
  return Buffer.concat(ends.map((end) => swap.take(stream.subarray(at, (at = end)))));
}

describe('the head of a migration', () => {
  test('gets the configuration of this host, as text, however it is cut; what follows is as it was', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.string({ unit: 'binary' }),
        fc.uint8Array({ maxLength: 500 }),
        fc.array(fc.nat(), { maxLength: 8 }),
        (theirs, own, rest, cuts) => {
          const out = swapped(own, Buffer.concat([encodeHead(theirs), rest]), cuts);
          const bytes = Buffer.from(own);
          const about = decodeHead(out);
          expect(about).toEqual({ json: false, bytes: 4 + bytes.length, info: `0x2/0x0/${String(4 + bytes.length)}` });
          expect(out.readUInt32LE(headBytes)).toBe(bytes.length);
          expect(out.subarray(headBytes + 4)).toEqual(Buffer.concat([bytes, rest]));
        },
      ),
    );
  });

  test('is refused when it is none', () => {
    const other = encodeHead('{}');
    other.write('xen', 0);
    expect(() => swapped('', other, [])).toThrow('what comes is no stream of xl migrate');
    const long = encodeHead('{}');
    long.writeUInt32LE(2 ** 30, 44);
    expect(() => swapped('', long, [])).toThrow('its configuration has 1073741824 bytes');
  });
});
