import { describe, expect, test } from '@jest/globals';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { chunkBytes } from '../../domain/chunks.ts';
import {
  checkPlace,
  chunkDigest,
  chunkKeys,
  decodeHeader,
  encodeHeader,
  headerBytes,
  openChunk,
  plainBytes,
  plainDiskBytes,
  sealChunk,
  sealedBytes,
  sealedDiskBytes,
  zeroDigest,
} from '../../seal/chunk.ts';
import type { ChunkKeys } from '../../seal/chunk.ts';
import { keysOf, noise, prose, recordByHand, sessionBody, typeThrown } from './support.ts';

const session = keysOf();
const keys = chunkKeys(session, 3);
const at = { disk: 3, index: 7, counter: 99n };
const sizes = [1, 511, 512, chunkBytes - 1, chunkBytes];
const kinds = [
  ['noise', 0, (bytes: number) => noise(bytes, 1)],
  ['prose', 2, prose],
  ['zeros', 1, (bytes: number) => Buffer.alloc(bytes)],
] as const;

/** A whole record as it goes over the wire. */
function record(plain: Buffer, compress = true, under: ChunkKeys = keys, place = at): Buffer {
  const bytes = Buffer.alloc(headerBytes + plain.length);
  const header = sealChunk(plain, place, under, { compress }, bytes.subarray(headerBytes));
  encodeHeader(header, bytes);
  return bytes.subarray(0, headerBytes + header.bodyBytes);
}

/** Opens a copy of a record, the way a landing does: into a buffer that holds other bytes. */
function open(bytes: Buffer, under: ChunkKeys = keys): Buffer {
  const header = decodeHeader(bytes);
  const plain = Buffer.alloc(header.plainBytes, 0xee);
  openChunk(header, Buffer.from(bytes.subarray(headerBytes)), under, plain);
  return plain;
}

describe('a sealed chunk', () => {
  test.each(sizes.flatMap((size) => kinds.map(([name, flag, make]) => [size, name, flag, make] as const)))(
    'of %i bytes of %s comes back',
    (size, name, flag, make) => {
      const plain = make(size);
      const sealed = record(plain);
      expect(decodeHeader(sealed).flags).toBe(size === 1 && name === 'prose' ? 0 : flag);
      expect(sealed.length).toBeLessThanOrEqual(sealedBytes(size));
      expect(open(sealed).equals(plain)).toBe(true);
    },
  );

  test('without compression is as long as it says, and shows nothing of its plain bytes', () => {
    const plain = prose(4096);
    const sealed = record(plain, false);
    expect(sealed.length).toBe(sealedBytes(4096));
    expect(sealed.includes('fox')).toBe(false);
  });

  test('is the record that docs/format.md describes', () => {
    const plain = noise(1000, 2);
    const byHand = recordByHand({ flags: 0, plainBytes: 1000, ...at }, plain, session);
    expect(record(plain).equals(byHand)).toBe(true);
    const zero = recordByHand({ flags: 1, plainBytes: 1000, ...at }, Buffer.alloc(0), session);
    expect(record(Buffer.alloc(1000)).equals(zero)).toBe(true);
  });

  test('can be sealed and opened in one buffer, also of memory shared between threads', () => {
    for (const make of [(bytes: number) => noise(bytes, 3), prose]) {
      const memory = Buffer.from(new SharedArrayBuffer(chunkBytes));
      const plain = make(memory.length);
      plain.copy(memory);
      const header = sealChunk(memory, at, keys, { compress: true }, memory);
      expect(memory.equals(plain)).toBe(false);
      openChunk(header, memory, keys, memory);
      expect(memory.equals(plain)).toBe(true);
    }
  });

  test('is not told from zeros by a byte anywhere', () => {
    for (const place of [0, 1, 262_143, 262_144, chunkBytes - 1]) {
      const plain = Buffer.alloc(chunkBytes);
      plain[place] = 1;
      expect(decodeHeader(record(plain)).flags).not.toBe(1);
    }
  });

  test('has the digest of its plain bytes', () => {
    expect(chunkDigest(Buffer.from('abc')).toString('hex')).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    );
    for (const size of sizes) expect(zeroDigest(size).equals(chunkDigest(Buffer.alloc(size)))).toBe(true);
  });
});

describe('a chunk of a session that only tags', () => {
  const tagging = chunkKeys({ ...session, clear: true }, 3);

  test.each(sizes.flatMap((size) => kinds.map(([name, flag, make]) => [size, name, flag, make] as const)))(
    'of %i bytes of %s comes back, as what it would have been encrypted from',
    (size, name, flag, make) => {
      const plain = make(size);
      const tagged = record(plain, true, tagging);
      const { flags, bodyBytes } = decodeHeader(tagged);
      expect(flags).toBe(flag === 1 ? 1 : (size === 1 && name === 'prose' ? 0 : flag) | 4);
      if (flags === 4) expect(tagged.subarray(headerBytes).equals(plain)).toBe(true);
      if (flags === 6) expect(zstdDecompressSync(tagged.subarray(headerBytes)).equals(plain)).toBe(true);
      expect(tagged.length).toBe(headerBytes + bodyBytes);
      expect(open(tagged, tagging).equals(plain)).toBe(true);
    },
  );

  test('is the record that docs/format.md describes', () => {
    const plain = noise(1000, 2);
    const fields = { flags: 4, plainBytes: 1000, ...at };
    expect(record(plain, true, tagging).equals(recordByHand(fields, plain, session))).toBe(true);
  });

  test('is refused with any one bit flipped, and leaves no unverified byte', () => {
    const tagged = record(noise(300, 9), true, tagging);
    for (let bit = 0; bit < tagged.length * 8; bit += 1)
      expect(typeThrown(() => open(flipped(tagged, bit), tagging))).toMatch(/^(bad-frame|tag-mismatch)$/);
    const changed = flipped(tagged, headerBytes * 8 + 5);
    const into = Buffer.alloc(300, 0xee);
    expect(
      typeThrown(() => {
        openChunk(decodeHeader(changed), Buffer.from(changed.subarray(headerBytes)), tagging, into);
      }),
    ).toBe('tag-mismatch');
    expect(into.equals(Buffer.alloc(300))).toBe(true);
  });

  test('is not taken where chunks are encrypted, nor an encrypted one here', () => {
    for (const plain of [noise(512, 10), prose(4096)]) {
      expect(typeThrown(() => open(record(plain, true, tagging), keys))).toBe('bad-frame');
      expect(typeThrown(() => open(record(plain), tagging))).toBe('bad-frame');
    }
  });
});

describe('a record is refused', () => {
  test.each(kinds.map(([name, , make]) => [name, make] as const))('with any one bit flipped (%s)', (_, make) => {
    const sealed = record(make(300));
    for (let bit = 0; bit < sealed.length * 8; bit += 1) {
      expect(typeThrown(() => open(flipped(sealed, bit)))).toMatch(/^(bad-frame|tag-mismatch)$/);
    }
  });

  test('with any one bit of a whole chunk flipped', () => {
    const sealed = record(noise(chunkBytes, 4));
    fc.assert(
      fc.property(fc.nat(sealed.length * 8 - 1), (bit) => {
        expect(typeThrown(() => open(flipped(sealed, bit)))).toMatch(/^(bad-frame|tag-mismatch)$/);
      }),
      { numRuns: 12 },
    );
  });

  test('at any other place, on any other disk, with any other length, as zeros, or under any other counter', () => {
    const header = decodeHeader(record(noise(512, 5), false));
    const changes = [
      { index: 8 },
      { disk: 4 },
      { plainBytes: 511, bodyBytes: 511 },
      { counter: 100n },
      { flags: 1, bodyBytes: 0 },
    ];
    for (const change of changes) {
      const other = { ...header, ...change };
      const body = Buffer.from(record(noise(512, 5), false).subarray(headerBytes));
      expect(
        typeThrown(() => {
          openChunk(other, body, keys, Buffer.alloc(512));
        }),
      ).toBe('tag-mismatch');
    }
  });

  test("under another session's keys, another disk's key, or another context with the same key", () => {
    const zero = record(Buffer.alloc(512));
    const older = chunkKeys(keysOf({ ...sessionBody, number: 2 }), 3);
    expect(typeThrown(() => open(zero, older))).toBe('tag-mismatch');
    expect(typeThrown(() => open(zero, chunkKeys(session, 2)))).toBe('tag-mismatch');
    expect(typeThrown(() => open(zero, { ...keys, context: Buffer.alloc(32) }))).toBe('tag-mismatch');
  });

  test('and leaves no unverified byte in either buffer', () => {
    for (const plain of [noise(600_000, 6), prose(600_000)]) {
      const sealed = flipped(record(plain), headerBytes * 8 + 5);
      const header = decodeHeader(sealed);
      const into = Buffer.alloc(plain.length, 0xee);
      const body = Buffer.from(sealed.subarray(headerBytes));
      expect(
        typeThrown(() => {
          openChunk(header, body, keys, into);
        }),
      ).toBe('tag-mismatch');
      const wiped = header.flags === 2 ? body : into;
      expect(wiped.equals(Buffer.alloc(wiped.length))).toBe(true);
      if (header.flags === 2) expect(into.equals(Buffer.alloc(into.length, 0xee))).toBe(true);
    }
  });

  test.each([
    ['decompresses to more than it says', zstdCompressSync(prose(1_000_000)), 2000],
    ['decompresses to less than it says', zstdCompressSync(prose(1999)), 2000],
    ['is no zstd at all', noise(100, 7), 2000],
    ['is cut short', zstdCompressSync(prose(2000)).subarray(0, -3), 2000],
    ['asks for a window of 64 MiB', windowed(26, 1000), 1000],
  ])('that verifies but %s', (_, content, plain) => {
    const sealed = recordByHand({ flags: 2, plainBytes: plain, ...at }, content, session);
    expect(typeThrown(() => open(sealed))).toBe('bad-frame');
  });

  test('that decompresses within a window of a chunk, on the other hand, is opened', () => {
    const content = windowed(22, 1000);
    const sealed = recordByHand({ flags: 2, plainBytes: 1000, ...at }, content, session);
    expect(open(sealed).length).toBe(1000);
  });

  test('without using the memory that a bomb would fill', () => {
    const bomb = zstdCompressSync(Buffer.alloc(256 * 1024 * 1024));
    const before = process.memoryUsage().rss;
    expect(typeThrown(() => open(recordByHand({ flags: 2, plainBytes: chunkBytes, ...at }, bomb, session)))).toBe(
      'bad-frame',
    );
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024);
  });

  test('when its buffers are too short for it', () => {
    const sealed = record(noise(512, 8));
    const header = decodeHeader(sealed);
    const short = () => {
      openChunk(header, Buffer.from(sealed.subarray(headerBytes + 1)), keys, Buffer.alloc(512));
    };
    expect(typeThrown(short)).toBe('bad-frame');
    expect(
      typeThrown(() => {
        openChunk(header, Buffer.from(sealed.subarray(headerBytes)), keys, Buffer.alloc(511));
      }),
    ).toBe('bad-frame');
  });

  test('with nothing but a SealiftError, whatever the bytes are', () => {
    const almost = fc
      .tuple(fc.nat(headerBytes - 1), fc.uint8Array({ minLength: 1, maxLength: 8 }))
      .map(([place, bytes]) => {
        const sealed = Buffer.from(record(prose(64)));
        Buffer.from(bytes).copy(sealed, place);
        return sealed;
      });
    const anything = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(fc.oneof(anything, almost), (bytes) => {
        typeThrown(() => open(bytes));
      }),
      { numRuns: 500 },
    );
  });
});

describe('a header', () => {
  const fields = fc.record({
    disk: fc.nat(0xffff),
    index: fc.nat(0xffffffff),
    plainBytes: fc.integer({ min: 1, max: chunkBytes }),
    counter: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
    tag: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes)),
  });

  test('comes back as it was', () => {
    fc.assert(
      fc.property(fields, fc.constantFrom(0, 1, 2), (some, flags) => {
        fc.pre(flags !== 2 || some.plainBytes > 1);
        const header = {
          ...some,
          flags,
          bodyBytes: flags === 0 ? some.plainBytes : flags === 1 ? 0 : some.plainBytes - 1,
        };
        const bytes = Buffer.alloc(headerBytes);
        encodeHeader(header, bytes);
        expect(decodeHeader(bytes)).toEqual(header);
      }),
    );
  });

  test.each([
    { flags: 3 },
    { flags: 5 },
    { plainBytes: 0, bodyBytes: 0 },
    { plainBytes: chunkBytes + 1, bodyBytes: chunkBytes + 1 },
    { bodyBytes: 511 },
    { flags: 1 },
    { flags: 2 },
    { flags: 2, bodyBytes: 0 },
    { disk: 0x10000 },
    { index: 0x100000000 },
    { counter: 1n << 64n },
    { counter: -1n },
    { tag: Buffer.alloc(15) },
  ])('that breaks a bound is not written: %o', (change) => {
    const good = { flags: 0, disk: 0, index: 0, plainBytes: 512, bodyBytes: 512, counter: 0n, tag: Buffer.alloc(16) };
    expect(
      typeThrown(() => {
        encodeHeader({ ...good, ...change }, Buffer.alloc(headerBytes));
      }),
    ).toBe('bad-frame');
  });

  test('belongs to a chunk of the disks, or is refused', () => {
    const disks = [{ sizeBytes: chunkBytes + 512 }];
    const header = decodeHeader(record(noise(512, 9), false, keys, { disk: 0, index: 1, counter: 1n }));
    expect(
      typeThrown(() => {
        checkPlace(header, disks);
      }),
    ).toBe('nothing');
    for (const change of [{ index: 0 }, { index: 2 }, { disk: 1 }, { plainBytes: 511 }]) {
      expect(
        typeThrown(() => {
          checkPlace({ ...header, ...change }, disks);
        }),
      ).toBe('bad-frame');
    }
  });
});

describe('sizes', () => {
  test('of a chunk and of a disk are inverse to each other', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: chunkBytes }), (size) => {
        expect(plainBytes(sealedBytes(size))).toBe(size);
      }),
    );
    fc.assert(
      fc.property(
        fc.oneof(fc.integer({ min: 1, max: 2 ** 45 }), fc.constantFrom(...sizes, chunkBytes + 1, 3 * chunkBytes)),
        (size) => {
          expect(plainDiskBytes(sealedDiskBytes(size))).toBe(size);
        },
      ),
    );
  });

  test('that nothing has are refused', () => {
    expect(typeThrown(() => sealedBytes(0))).toBe('internal');
    expect(typeThrown(() => sealedBytes(chunkBytes + 1))).toBe('internal');
    expect(typeThrown(() => plainBytes(headerBytes))).toBe('bad-frame');
    expect(typeThrown(() => plainDiskBytes(headerBytes))).toBe('bad-frame');
  });
});

function flipped(bytes: Buffer, bit: number): Buffer {
  const copy = Buffer.from(bytes);
  const place = Math.floor(bit / 8);
  copy[place] = (copy[place] ?? 0) ^ (1 << (bit % 8));
  return copy;
}

/** A zstd frame of one repeated byte that asks for a window of 2^`windowLog` bytes (RFC 8878, section 3.1.1). */
function windowed(windowLog: number, bytes: number): Buffer {
  const frame = Buffer.alloc(10, 'a');
  frame.writeUInt32LE(0xfd2fb528, 0);
  frame.writeUInt8(0, 4);
  frame.writeUInt8((windowLog - 10) << 3, 5);
  frame.writeUIntLE((bytes << 3) | 3, 6, 3);
  return frame;
}
