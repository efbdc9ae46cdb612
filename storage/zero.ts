import { alignedBuffer } from './aligned.ts';
import type { Disk } from './disk.ts';

/** Small enough to stay in the processor's cache, page-aligned so that it can be written to a disk. */
const zeros = alignedBuffer(256 * 1024);

/** Whether the first `lengthBytes` of `buffer` are all zero. Stops at the first piece that is not. */
export function isZero(buffer: Buffer, lengthBytes: number): boolean {
  for (let at = 0; at < lengthBytes; at += zeros.length) {
    const end = Math.min(at + zeros.length, lengthBytes);
    if (zeros.compare(buffer, at, end, 0, end - at) !== 0) return false;
  }
  return true;
}

/**
 * Makes a range of a disk read as zeros. It looks first and writes only pieces that are not zero yet, so that the holes of
 * a sparse file stay holes. `scratch` (from `alignedBuffer`) is overwritten; the longer it is, the fewer reads. Positions
 * and errors are those of `Disk`; on disk after its `sync`.
 */
export async function zeroRange(disk: Disk, atBytes: number, lengthBytes: number, scratch: Buffer): Promise<void> {
  const endBytes = atBytes + lengthBytes;
  for (let at = atBytes; at < endBytes; at += scratch.length) {
    const pieceBytes = Math.min(scratch.length, endBytes - at);
    await disk.read(scratch, at, pieceBytes);
    if (!isZero(scratch, pieceBytes)) await writeZeros(disk, at, pieceBytes);
  }
}

async function writeZeros(disk: Disk, atBytes: number, lengthBytes: number): Promise<void> {
  const endBytes = atBytes + lengthBytes;
  for (let at = atBytes; at < endBytes; at += zeros.length) {
    await disk.write(zeros, at, Math.min(zeros.length, endBytes - at));
  }
}
