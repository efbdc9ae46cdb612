import { SealiftError } from '../domain/error.ts';
import { chunkBytes, chunkCount } from '../domain/chunks.ts';
import { headerBytes } from './header.ts';

/** The most bytes of a manifest: 128 MiB hold the digests of 16 TiB of disks. */
export const maximumManifestBytes = 128 * 1024 * 1024;

const recordBytes = headerBytes + chunkBytes;

/** The most bytes that a chunk of `plain` bytes takes as a sealed record: as many as when it neither is zeros nor compresses. */
export function sealedBytes(plain: number): number {
  if (plain < 1 || plain > chunkBytes) throw new SealiftError('internal', `no chunk has ${String(plain)} bytes`);
  return headerBytes + plain;
}

/** The plain bytes of a sealed record of `sealed` bytes whose chunk neither was zeros nor compressed; inverse of `sealedBytes`. */
export function plainBytes(sealed: number): number {
  if (sealed <= headerBytes || sealed > recordBytes) {
    throw new SealiftError('bad-frame', `no sealed record has ${String(sealed)} bytes`);
  }
  return sealed - headerBytes;
}

/** The most bytes that a disk of `sizeBytes` takes as sealed records. */
export function sealedDiskBytes(sizeBytes: number): number {
  return sizeBytes + chunkCount(sizeBytes) * headerBytes;
}

/** The size of the disk whose records take `sealed` bytes when no chunk is zeros or compressed; inverse of `sealedDiskBytes`. */
export function plainDiskBytes(sealed: number): number {
  const whole = Math.floor(sealed / recordBytes);
  const rest = sealed % recordBytes;
  return whole * chunkBytes + (rest === 0 ? 0 : plainBytes(rest));
}
