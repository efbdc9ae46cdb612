import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { chunkBytes, chunkCount, chunkLength } from '../../domain/chunks.ts';

describe('chunks of a disk', () => {
  test.each([
    [1, 1],
    [chunkBytes - 1, 1],
    [chunkBytes, 1],
    [chunkBytes + 1, 2],
    [64 * 2 ** 30, 16_384],
  ])('%d bytes are %d chunks', (sizeBytes, count) => expect(chunkCount(sizeBytes)).toBe(count));

  test('cover the disk without a gap, whatever its size; only the last may be short', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 * chunkBytes }), (sizeBytes) => {
        const lengths = Array.from({ length: chunkCount(sizeBytes) }, (_, index) => chunkLength(sizeBytes, index));
        expect(lengths.reduce((sum, length) => sum + length, 0)).toBe(sizeBytes);
        expect(lengths.slice(0, -1).every((length) => length === chunkBytes)).toBe(true);
        expect(lengths.at(-1)).toBeGreaterThan(0);
      }),
    );
  });
});
