import { SealiftError } from '../domain/error.ts';
import { chunkBytes, chunkCount, chunkLength } from '../domain/chunks.ts';

/** Format constants, frozen: a change needs another magic. */
export const headerBytes = 48;
export const tagBytes = 16;
/** Of a header, these bytes are associated data; the tag follows them. */
export const boundBytes = headerBytes - tagBytes;
export const zeroFlag = 1;
export const zstdFlag = 2;
/** The body is not encrypted, only bound by the tag (AES-GMAC): what it crosses in, encrypts it. */
export const clearFlag = 4;
/** The `disk` of records that hold the manifest's pieces, so a VM has at most 65,535 disks. */
export const manifestDisk = 0xffff;

const magic = 0x534c4331; // 'SLC1'
const version = 1;
const counterEnd = 1n << 64n;

/** The head of a sealed record, as it stands before the record's body. */
export interface ChunkHeader {
  /** 0 as it is, 1 (`zeroFlag`) all zeros without a body, 2 (`zstdFlag`) compressed; with 4 (`clearFlag`), 0 and 2 in the clear. */
  flags: number;
  disk: number;
  index: number;
  /** Length of the plain chunk, 1 to `chunkBytes`. */
  plainBytes: number;
  /** Length of the ciphertext that follows, 0 to `plainBytes`. */
  bodyBytes: number;
  /** The session's counter, which is the nonce. */
  counter: bigint;
  tag: Buffer;
}

/** Writes `header` into the first 48 bytes of `into`. Throws 'bad-frame' for a header that `decodeHeader` would refuse. */
export function encodeHeader(header: ChunkHeader, into: Buffer): void {
  if (into.length < headerBytes) throw malformed(`no room for its header in ${String(into.length)} bytes`);
  checkHeader(header);
  if (header.tag.length !== tagBytes) throw malformed(`a tag of ${String(header.tag.length)} bytes`);
  encodeBound(header, into);
  header.tag.copy(into, boundBytes);
}

/** Writes all of the header but its tag: the bytes that the tag binds. */
export function encodeBound(header: Omit<ChunkHeader, 'tag'>, into: Buffer): void {
  into.writeUInt32BE(magic, 0);
  into.writeUInt8(version, 4);
  into.writeUInt8(header.flags, 5);
  into.writeUInt16BE(header.disk, 6);
  into.writeUInt32BE(header.index, 8);
  into.writeUInt32BE(header.plainBytes, 12);
  into.writeUInt32BE(header.bodyBytes, 16);
  into.writeUInt32BE(0, 20);
  into.writeBigUInt64BE(header.counter, 24);
}

/**
 * Reads a header from the first 48 bytes of `from`. Every field is within its bounds, or it throws 'bad-frame'; none is
 * authentic before `openChunk` has returned.
 */
export function decodeHeader(from: Buffer): ChunkHeader {
  if (from.length < headerBytes) throw malformed(`${String(from.length)} bytes of 48`);
  if (from.readUInt32BE(0) !== magic) throw malformed('other magic bytes');
  if (from.readUInt8(4) !== version) throw malformed(`version ${String(from.readUInt8(4))}`);
  if (from.readUInt32BE(20) !== 0) throw malformed('reserved bytes in use');
  const header: ChunkHeader = {
    flags: from.readUInt8(5),
    disk: from.readUInt16BE(6),
    index: from.readUInt32BE(8),
    plainBytes: from.readUInt32BE(12),
    bodyBytes: from.readUInt32BE(16),
    counter: from.readBigUInt64BE(24),
    tag: Buffer.from(from.subarray(boundBytes, headerBytes)),
  };
  checkHeader(header);
  return header;
}

/** Refuses ('bad-frame') a record that is not a chunk of these disks: disk, index and plain length must fit. */
export function checkPlace(header: ChunkHeader, disks: readonly { sizeBytes: number }[]): void {
  const disk = disks[header.disk];
  if (disk === undefined) throw malformed(`disk ${String(header.disk)} of ${String(disks.length)}`);
  if (header.index >= chunkCount(disk.sizeBytes)) throw malformed(`chunk ${String(header.index)} beyond its disk`);
  const expected = chunkLength(disk.sizeBytes, header.index);
  if (header.plainBytes !== expected) {
    throw malformed(`${String(header.plainBytes)} plain bytes where its chunk has ${String(expected)}`);
  }
}

/** The bounds of all fields, and of the body for each kind of record. */
export function checkHeader(header: Omit<ChunkHeader, 'tag'>): void {
  const { flags, disk, index, plainBytes, bodyBytes, counter } = header;
  if (!isWithin(disk, 0, 0xffff) || !isWithin(index, 0, 0xffffffff)) throw malformed('a place out of bounds');
  if (!isWithin(plainBytes, 1, chunkBytes)) throw malformed(`${String(plainBytes)} plain bytes`);
  if (counter < 0n || counter >= counterEnd) throw malformed('a counter out of bounds');
  const content = flags & ~clearFlag;
  const fits =
    flags === zeroFlag
      ? bodyBytes === 0
      : content === 0
        ? bodyBytes === plainBytes
        : content === zstdFlag && isWithin(bodyBytes, 1, plainBytes - 1);
  if (!fits) throw malformed(`flags ${String(flags)} with ${String(bodyBytes)} of ${String(plainBytes)} bytes`);
}

function isWithin(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}

function malformed(what: string): SealiftError {
  return new SealiftError('bad-frame', `a sealed record has ${what}`);
}
