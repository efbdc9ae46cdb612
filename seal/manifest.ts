import { createHash } from 'node:crypto';
import { SealiftError } from '../domain/error.ts';
import { chunkBytes, chunkCount } from '../domain/chunks.ts';
import { manifest as manifestSchema } from '../domain/manifest.ts';
import type { Manifest } from '../domain/manifest.ts';
import { canonicalBytes, parseCanonical } from './canonical.ts';
import { decodeHeader, encodeHeader, headerBytes, manifestDisk, openChunk, sealChunk } from './chunk.ts';
import { manifestKey } from './session.ts';
import type { SessionKeys } from './session.ts';
import { maximumManifestBytes } from './sizes.ts';

const digestBytes = 32;
const lengthBytes = 4;
/** 16 MiB of text bounds what is parsed; a configuration has a few kilobytes. */
const maximumTextBytes = 16 * 1024 * 1024;

/** A manifest with the chunk digests that its `disks[].digest` stand for, 32 bytes a chunk in order, a buffer per disk. */
export interface WholeManifest {
  manifest: Manifest;
  digests: Buffer[];
}

/** The root that names the whole move: SHA-256, in hex, over the manifest's canonical JSON. */
export function manifestRoot(manifest: Manifest): string {
  return createHash('sha256').update('sealift/1 manifest\n').update(canonicalBytes(manifest)).digest('hex');
}

/** Adds a disk's chunk digests up, in order: SHA-256 over them, in hex. */
export function diskDigest(): { add(digest: Buffer): void; end(): string } {
  const sum = createHash('sha256');
  return {
    add: (digest) => {
      sum.update(digest);
    },
    end: () => sum.digest('hex'),
  };
}

/**
 * The bytes of a manifest: length of the text (u32), canonical JSON, then the raw chunk digests of disk 0, 1, … in order.
 * `digests` gives each disk's digests, 32 bytes each, in pieces of any number of them. Throws 'manifest-mismatch' when
 * they are not those that the manifest names.
 */
export function encodeManifest(manifest: Manifest, digests: readonly Iterable<Buffer>[]): Buffer {
  const text = canonicalBytes(manifest);
  parseManifest(text);
  const size = manifestSize(manifest, text.length);
  const bytes = Buffer.alloc(size);
  bytes.writeUInt32BE(text.length, 0);
  text.copy(bytes, lengthBytes);
  let end = lengthBytes + text.length;
  manifest.disks.forEach((disk, place) => {
    const limit = end + chunkCount(disk.sizeBytes) * digestBytes;
    for (const piece of digests[place] ?? []) {
      if (end + piece.length > limit) throw mismatch(`disk ${disk.vdev} has more digests than chunks`);
      end += piece.copy(bytes, end);
    }
    if (end !== limit) throw mismatch(`disk ${disk.vdev} has fewer digests than chunks`);
  });
  splitDigests(manifest, bytes.subarray(lengthBytes + text.length));
  return bytes;
}

/**
 * Reads what `encodeManifest` wrote, and nothing else: one text for one manifest, digests that add up to the disks' own.
 * Throws 'bad-frame' for another form and 'manifest-mismatch' for other digests. The buffers in `digests` are views of
 * `bytes`.
 */
export function decodeManifest(bytes: Buffer): WholeManifest {
  if (bytes.length < lengthBytes || bytes.length > maximumManifestBytes)
    throw malformed(`${String(bytes.length)} bytes`);
  const textBytes = bytes.readUInt32BE(0);
  if (textBytes > maximumTextBytes || textBytes > bytes.length - lengthBytes) throw malformed('a text beyond its end');
  const text = bytes.subarray(lengthBytes, lengthBytes + textBytes);
  const manifest = parseManifest(text);
  if (manifestSize(manifest, textBytes) !== bytes.length) throw malformed('digests for other disks');
  return { manifest, digests: splitDigests(manifest, bytes.subarray(lengthBytes + textBytes)) };
}

/**
 * Seals a manifest's bytes as records of up to `chunkBytes`, under the session's manifest key, on the "disk" 65,535. Each
 * takes a counter of the session, which nothing else may use.
 */
export function* sealManifest(bytes: Buffer, keys: SessionKeys, nextCounter: () => bigint): Generator<Buffer> {
  const own = { context: keys.context, diskKey: manifestKey(keys) };
  for (let index = 0; index * chunkBytes < bytes.length; index += 1) {
    const plain = bytes.subarray(index * chunkBytes, (index + 1) * chunkBytes);
    const record = Buffer.alloc(headerBytes + plain.length);
    const at = { disk: manifestDisk, index, counter: nextCounter() };
    const header = sealChunk(plain, at, own, { compress: false }, record.subarray(headerBytes));
    encodeHeader(header, record);
    yield record.subarray(0, headerBytes + header.bodyBytes);
  }
}

/**
 * Opens a manifest's records, in order and all of them, and gives back its bytes for `decodeManifest`. The records'
 * bodies are overwritten. Throws 'bad-frame' or 'tag-mismatch'.
 */
export function openManifest(records: Iterable<Buffer>, keys: SessionKeys): Buffer {
  const own = { context: keys.context, diskKey: manifestKey(keys) };
  const pieces: Buffer[] = [];
  let total = 0;
  for (const record of records) {
    const header = decodeHeader(record);
    const inOrder = header.disk === manifestDisk && header.index === pieces.length;
    total += header.plainBytes;
    if (!inOrder || total > maximumManifestBytes || record.length !== headerBytes + header.bodyBytes) {
      throw malformed(`a piece out of place (${String(header.index)})`);
    }
    const plain = Buffer.alloc(header.plainBytes);
    openChunk(header, record.subarray(headerBytes), own, plain);
    pieces.push(plain);
  }
  return Buffer.concat(pieces);
}

/** The length of a manifest's bytes, given that of its text. */
function manifestSize(manifest: Manifest, textBytes: number): number {
  if (manifest.disks.length >= manifestDisk) throw malformed(`${String(manifest.disks.length)} disks`);
  if (new Set(manifest.disks.map((disk) => disk.vdev)).size !== manifest.disks.length) throw malformed('a disk twice');
  const chunks = manifest.disks.reduce((sum, disk) => sum + chunkCount(disk.sizeBytes), 0);
  const size = lengthBytes + textBytes + chunks * digestBytes;
  if (textBytes > maximumTextBytes || size > maximumManifestBytes) throw malformed(`${String(size)} bytes`);
  return size;
}

function parseManifest(text: Buffer): Manifest {
  const parsed = manifestSchema.safeParse(parseCanonical(text));
  // The schema may change what it reads (a uuid to lower case): then two texts would stand for one manifest.
  if (!parsed.success || !canonicalBytes(parsed.data).equals(text)) throw malformed('a text of another form');
  return parsed.data;
}

function splitDigests(manifest: Manifest, digests: Buffer): Buffer[] {
  let start = 0;
  return manifest.disks.map((disk) => {
    const own = digests.subarray(start, start + chunkCount(disk.sizeBytes) * digestBytes);
    start += own.length;
    const sum = diskDigest();
    sum.add(own);
    if (sum.end() !== disk.digest) throw mismatch(`the chunk digests of disk ${disk.vdev} do not add up to its own`);
    return own;
  });
}

function malformed(what: string): SealiftError {
  return new SealiftError('bad-frame', `a manifest has ${what}`);
}

function mismatch(what: string): SealiftError {
  return new SealiftError('manifest-mismatch', what);
}
