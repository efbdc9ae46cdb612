import { createCipheriv, createDecipheriv, hash } from 'node:crypto';
import { types } from 'node:util';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { SealiftError } from '../domain/error.ts';
import { chunkBytes } from '../domain/chunks.ts';
import { boundBytes, checkHeader, clearFlag, encodeBound, tagBytes, zeroFlag, zstdFlag } from './header.ts';
import type { ChunkHeader } from './header.ts';
import { diskKey } from './session.ts';
import type { SessionKeys } from './session.ts';

export { checkPlace, decodeHeader, encodeHeader, headerBytes, manifestDisk, zeroFlag } from './header.ts';
export type { ChunkHeader } from './header.ts';
export { plainBytes, plainDiskBytes, sealedBytes, sealedDiskBytes } from './sizes.ts';

const cipherName = 'aes-256-gcm';
/**
 * Tuning, not format: slices in which the cipher is fed; its output is allocated per slice and freed at once. Node copies that
 * output once and we once more, and copies shorter than a core's second-level cache are done by `rep movsb` in glibc, which on
 * AMD is slow at addresses that malloc likes to give: 0.40 s per GB in slices of 1 MiB, 0.40 or 0.75 in shorter ones.
 */
const sliceBytes = 1024 * 1024;
/** A compressed body is kept when it saves at least one part in this many. */
const worthwhilePart = 16;
/** No frame may ask its reader for a window beyond 4 MiB, the length of a chunk. */
const windowLog = 22;
const zeros = Buffer.alloc(256 * 1024);

/** What seals the chunks of one disk in one session. */
export interface ChunkKeys {
  context: Buffer;
  diskKey: Buffer;
  /** Only tagged, see `SessionKeys`. */
  clear?: boolean | undefined;
}

/** Where a chunk belongs, and the session's next counter, which no other record of the session may have. */
export interface ChunkPlace {
  disk: number;
  index: number;
  counter: bigint;
}

/** The keys of disk `disk` in a session. */
export function chunkKeys(keys: SessionKeys, disk: number): ChunkKeys {
  return { context: keys.context, diskKey: diskKey(keys, disk), clear: keys.clear };
}

/**
 * Seals `plain` (1 to `chunkBytes` bytes) and returns the header of the record, whose `bodyBytes` bytes of ciphertext
 * stand at the start of `body`. `body` needs `plain.length` bytes and may be `plain` itself. A chunk of zeros has no
 * body but is tagged all the same. With `compress`, zstd is kept where it saves a sixteenth. With keys that only tag, the
 * body is what would have been encrypted.
 *
 * Each call needs a counter never used in the session, also when the same chunk is sealed a second time: the bytes under
 * it may differ by compression.
 */
export function sealChunk(
  plain: Buffer,
  at: ChunkPlace,
  keys: ChunkKeys,
  options: { compress: boolean },
  body: Buffer,
): ChunkHeader {
  if (body.length < plain.length) throw new SealiftError('internal', 'no room for the body of a sealed chunk');
  const zero = isZero(plain);
  const packed = zero || !options.compress ? null : compressed(plain);
  const content = zero ? plain.subarray(0, 0) : (packed ?? plain);
  const bound = {
    flags: zero ? zeroFlag : (packed === null ? 0 : zstdFlag) | (keys.clear === true ? clearFlag : 0),
    disk: at.disk,
    index: at.index,
    plainBytes: plain.length,
    bodyBytes: content.length,
    counter: at.counter,
  };
  checkHeader(bound);
  const cipher = createCipheriv(cipherName, keys.diskKey, nonce(at.counter), { authTagLength: tagBytes });
  cipher.setAAD(associatedData(keys.context, bound));
  if (keys.clear === true) {
    cipher.setAAD(content);
    content.copy(body);
  } else {
    for (let start = 0; start < content.length; start += sliceBytes) {
      const part = cipher.update(content.subarray(start, start + sliceBytes));
      part.copy(body, start);
      release(part);
    }
  }
  cipher.final();
  if (packed !== null) release(packed);
  return { ...bound, tag: cipher.getAuthTag() };
}

/**
 * Opens a record into the first `header.plainBytes` bytes of `plain`. `body` holds the ciphertext in its first
 * `header.bodyBytes` bytes; it is overwritten, and may be `plain` itself. Throws 'tag-mismatch' when the record does not
 * verify under these keys, after wiping what was decrypted: unverified bytes are never left in either buffer. Keys that only tag
 * open no encrypted record, and others none in the clear: 'bad-frame'.
 */
export function openChunk(header: ChunkHeader, body: Buffer, keys: ChunkKeys, plain: Buffer): void {
  checkHeader(header);
  if (body.length < header.bodyBytes || plain.length < header.plainBytes || header.tag.length !== tagBytes) {
    throw new SealiftError(
      'bad-frame',
      `record of disk ${String(header.disk)} chunk ${String(header.index)} is not whole`,
    );
  }
  const inClear = (header.flags & clearFlag) !== 0;
  if (inClear !== (keys.clear === true && header.flags !== zeroFlag))
    throw new SealiftError('bad-frame', `${nameOf(header)} is ${inClear ? 'in the clear' : 'encrypted'}`);
  const content = body.subarray(0, header.bodyBytes);
  const isPacked = (header.flags & zstdFlag) !== 0;
  const target = isPacked ? content : plain.subarray(0, header.bodyBytes);
  if (!decrypted(header, content, keys, target)) {
    target.fill(0);
    throw mismatch(header);
  }
  if (header.flags === zeroFlag) plain.fill(0, 0, header.plainBytes);
  if (isPacked) decompress(header, content, plain);
}

/** SHA-256 of a plain chunk. It never leaves the two hosts. */
export function chunkDigest(plain: Buffer): Buffer {
  return hash('sha256', plain, 'buffer');
}

const zeroDigests = new Map<number, Buffer>();
const zeroDigestsKept = 64;

/** SHA-256 of `bytes` zeros, at most `chunkBytes`; the common lengths are remembered. */
export function zeroDigest(bytes: number): Buffer {
  const known = zeroDigests.get(bytes);
  if (known !== undefined) return Buffer.from(known);
  if (bytes > chunkBytes) throw new SealiftError('internal', `no chunk has ${String(bytes)} bytes`);
  const digest = chunkDigest(Buffer.alloc(bytes));
  if (zeroDigests.size < zeroDigestsKept) zeroDigests.set(bytes, digest);
  return Buffer.from(digest);
}

function isZero(plain: Buffer): boolean {
  for (let start = 0; start < plain.length; start += zeros.length) {
    const slice = plain.subarray(start, start + zeros.length);
    if (!slice.equals(slice.length === zeros.length ? zeros : zeros.subarray(0, slice.length))) return false;
  }
  return true;
}

function compressed(plain: Buffer): Buffer | null {
  const packed = zstdCompressSync(plain, {
    params: { [constants.ZSTD_c_compressionLevel]: 1 },
    chunkSize: outputBytes(plain.length),
  });
  if (packed.length <= plain.length - Math.ceil(plain.length / worthwhilePart)) return packed;
  release(packed);
  return null;
}

/** A chunk's tag has verified, so content that does not fit is the sender's defect; it is refused like any other. */
function decompress(header: ChunkHeader, content: Buffer, plain: Buffer): void {
  let whole: Buffer;
  try {
    whole = zstdDecompressSync(content, {
      maxOutputLength: header.plainBytes,
      chunkSize: outputBytes(header.plainBytes),
      params: { [constants.ZSTD_d_windowLogMax]: windowLog },
    });
  } catch {
    throw new SealiftError('bad-frame', `${nameOf(header)} does not decompress to ${String(header.plainBytes)} bytes`);
  }
  if (whole.length !== header.plainBytes) {
    throw new SealiftError('bad-frame', `${nameOf(header)} decompresses to ${String(whole.length)} bytes`);
  }
  whole.copy(plain);
  release(whole);
}

/** One output buffer for the whole chunk, so that zlib does not join hundreds of small ones. */
function outputBytes(bytes: number): number {
  return Math.max(1024, bytes);
}

function decrypted(header: ChunkHeader, content: Buffer, keys: ChunkKeys, target: Buffer): boolean {
  const decipher = createDecipheriv(cipherName, keys.diskKey, nonce(header.counter), { authTagLength: tagBytes });
  decipher.setAAD(associatedData(keys.context, header));
  decipher.setAuthTag(header.tag);
  if (keys.clear === true) {
    decipher.setAAD(content);
    content.copy(target);
  }
  for (let start = 0; keys.clear !== true && start < content.length; start += sliceBytes) {
    const part = decipher.update(content.subarray(start, start + sliceBytes));
    part.copy(target, start);
    release(part);
  }
  try {
    decipher.final();
    return true;
  } catch {
    return false;
  }
}

function nonce(counter: bigint): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeBigUInt64BE(counter, 4);
  return bytes;
}

function associatedData(context: Buffer, bound: Omit<ChunkHeader, 'tag'>): Buffer {
  const data = Buffer.alloc(context.length + boundBytes);
  context.copy(data);
  encodeBound(bound, data.subarray(context.length));
  return data;
}

/** Gives a buffer's memory back now: left to the collector, ciphertext piles up faster than it runs. */
function release(part: Buffer): void {
  const memory = part.buffer;
  const isPooled = part.byteOffset !== 0 || memory.byteLength <= Buffer.poolSize;
  if (!isPooled && types.isArrayBuffer(memory)) memory.transfer(0);
}

function mismatch(header: ChunkHeader): SealiftError {
  return new SealiftError('tag-mismatch', `${nameOf(header)} does not verify under its session`);
}

function nameOf(header: ChunkHeader): string {
  return `record of disk ${String(header.disk)} chunk ${String(header.index)}`;
}
