import type { FileHandle } from 'node:fs/promises';
import { chunkBytes } from '../domain/chunks.ts';
import { chunkDigest, chunkKeys, headerBytes, openChunk, zeroDigest, zeroFlag } from './chunk.ts';
import type { ChunkKeys } from './chunk.ts';
import { badContainer } from './container-format.ts';
import type { ContainerHead } from './container-format.ts';
import { readBody, walkRecords } from './container-walk.ts';
import type { PlacedRecord } from './container-walk.ts';
import type { SessionKeys } from './session.ts';

const digestBytes = 32;

/** One verified chunk; `plain` holds until the callback's promise is settled. */
export interface ContainerChunk {
  disk: number;
  index: number;
  plain: Buffer;
  digest: Buffer;
  zero: boolean;
}

export interface UnsealOptions {
  /** Takes one verified chunk at a time, by disk and index. */
  onChunk(chunk: ContainerChunk): Promise<void>;
  /** Chunks that are not wanted are passed over unread: those that the journal holds. */
  wanted?: (disk: number, index: number) => boolean;
  /** Makes the two buffers, as long as the longest chunk, in which chunks are handed over: page-aligned ones, for instance. */
  allocate?: (bytes: number) => Buffer;
  signal?: AbortSignal;
}

/** Where the chunks are and what they must be; `digests` are the manifest's, or null when there is none to trust. */
export interface ChunkSource {
  file: FileHandle;
  head: ContainerHead;
  headLength: number;
  keys: SessionKeys;
  digests: readonly Buffer[] | null;
}

/**
 * Opens a container's chunks one after the other; while one is with the callback, the next is being read. A chunk is
 * handed over only when its tag and its digest have verified. Throws 'bad-container' naming the first that does not.
 */
export async function unsealChunks(
  source: ChunkSource,
  options: UnsealOptions,
): Promise<{ plainBytes: number; chunks: number }> {
  const allocate = options.allocate ?? ((bytes: number) => Buffer.alloc(bytes));
  const longest = Math.min(chunkBytes, Math.max(0, ...source.head.disks.map((disk) => disk.sizeBytes)));
  const buffers = [allocate(longest), allocate(longest)] as const;
  const totals = { plainBytes: 0, chunks: 0 };
  let keys: ChunkKeys & { disk: number } = { ...chunkKeys(source.keys, 0), disk: 0 };
  let handing: Promise<void> = Promise.resolve();
  try {
    for await (const record of walkRecords(source.file, source.head, source.headLength, false)) {
      options.signal?.throwIfAborted();
      const { disk, index } = record.header;
      if (options.wanted?.(disk, index) === false) continue;
      if (keys.disk !== disk) keys = { ...chunkKeys(source.keys, disk), disk };
      const buffer = buffers[totals.chunks % 2 === 0 ? 0 : 1];
      await readBody(source.file, record, buffer);
      const chunk = openRecord(record, buffer, keys, source.digests);
      await handing;
      handing = options.onChunk(chunk);
      // A failure is told at the next turn; until then it must not count as unhandled.
      handing.catch(() => undefined);
      totals.chunks += 1;
      totals.plainBytes += chunk.plain.length;
    }
  } finally {
    await handing;
  }
  return totals;
}

function openRecord(
  record: PlacedRecord,
  buffer: Buffer,
  keys: ChunkKeys,
  digests: readonly Buffer[] | null,
): ContainerChunk {
  const { disk, index, plainBytes, flags } = record.header;
  try {
    openChunk(record.header, buffer, keys, buffer);
  } catch (error) {
    const at = String(record.bodyAt - headerBytes);
    throw badContainer(`has a changed record at byte ${at}, ${record.name}`, error);
  }
  const plain = buffer.subarray(0, plainBytes);
  const zero = flags === zeroFlag;
  const digest = zero ? zeroDigest(plainBytes) : chunkDigest(plain);
  const expected = digests?.[disk]?.subarray(index * digestBytes, (index + 1) * digestBytes);
  if (expected !== undefined && !expected.equals(digest)) {
    throw badContainer(`has a record of ${record.name} that its manifest does not name`);
  }
  return { disk, index, plain, digest, zero };
}
