import { stat, writeFile, truncate, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { alignedBuffer } from '../../storage/aligned.ts';
import { openDisk } from '../../storage/disk.ts';
import { isZero, zeroRange } from '../../storage/zero.ts';
import { makeFolder } from './support.ts';

const piece = 256 * 1024;

describe('zeros', () => {
  test.each([0, 1, 7, 8, 4096, piece - 1, piece, piece + 1, 4 * 1024 * 1024])('are seen in %i bytes', (bytes) => {
    const buffer = Buffer.alloc(bytes + 1);
    buffer[bytes] = 1;
    expect(isZero(buffer, bytes)).toBe(true);
    expect(isZero(buffer, bytes + 1)).toBe(false);
  });

  test('are told from one byte that is not, wherever it is', () => {
    const buffer = Buffer.alloc(3 * piece);
    fc.assert(
      fc.property(fc.nat(3 * piece - 1), fc.integer({ min: 1, max: 255 }), (at, byte) => {
        buffer[at] = byte;
        const found = isZero(buffer, buffer.length);
        const before = isZero(buffer, at);
        buffer[at] = 0;
        return !found && before;
      }),
    );
  });

  test('are put where they are wanted, without filling holes', async () => {
    const path = join(makeFolder(), 'disk.raw');
    const sizeBytes = 8 * 1024 * 1024 + 100;
    await writeFile(path, Buffer.alloc(1024 * 1024, 1));
    await truncate(path, sizeBytes);
    await writeFile(path, Buffer.alloc(100, 2), { flag: 'r+' });
    const disk = await openDisk(path, 'write');
    await zeroRange(disk, 4096, sizeBytes - 4096, alignedBuffer(1024 * 1024));
    await disk.sync();
    await disk.close();
    const after = await readFile(path);
    expect(after.subarray(0, 100).equals(Buffer.alloc(100, 2))).toBe(true);
    expect(after.subarray(100, 4096).equals(Buffer.alloc(3996, 1))).toBe(true);
    expect(isZero(after.subarray(4096), sizeBytes - 4096)).toBe(true);
    // Of 8 MiB; a file system may take a block or two of its own.
    expect((await stat(path)).blocks * 512).toBeLessThan(2 * 1024 * 1024);
  });
});
