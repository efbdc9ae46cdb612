import { chunkBytes, chunkCount, chunkLength } from '../domain/chunks.ts';
import type { DiskShape, Manifest } from '../domain/manifest.ts';
import { SealiftError } from '../domain/error.ts';
import type { Session, Signed } from '../domain/statement.ts';
import {
  chunkDigest,
  chunkKeys,
  encodeHeader,
  headerBytes,
  sealChunk,
  sealedBytes,
  zeroDigest,
  zeroFlag,
} from './chunk.ts';
import { startFile } from './container-file.ts';
import type { FileInTheMaking } from './container-file.ts';
import { encodeEnd, encodeHead, structureSum } from './container-format.ts';
import { diskDigest, encodeManifest, manifestRoot, sealManifest } from './manifest.ts';
import type { SessionKeys } from './session.ts';

/** Tuning, not format: the file is synced, and progress told, after so many bytes or chunks. */
const syncBytes = 64 * 1024 * 1024;
const syncChunks = 256;
const digestBytes = 32;

export interface ContainerInput {
  /** Where the container will be; `<path>.part` while it is written. */
  path: string;
  /** A session of its own: nothing else may be sealed under it, and no second container. */
  session: Signed<Session>;
  keys: SessionKeys;
  disks: readonly DiskShape[];
  /** The plain bytes of a chunk; they must hold until the next call. */
  read(disk: number, index: number): Promise<Buffer>;
  /** Called once, with each disk's digest, after the last chunk. */
  manifest(diskDigests: string[]): Manifest;
  compress: boolean;
  /** Each chunk's plain digest, in order, as soon as it is known. */
  onDigest?: (disk: number, index: number, digest: Buffer, zero: boolean) => void;
  onProgress?: (progress: SealProgress) => void;
  signal?: AbortSignal;
}

/** Counts only what is on the device. */
interface SealProgress {
  /** Plain bytes of each disk that the file holds. */
  diskBytes: number[];
  fileBytes: number;
}

export interface ContainerSummary {
  root: string;
  manifest: Manifest;
  plainBytes: number;
  fileBytes: number;
}

/**
 * Writes a whole container, in memory of two chunks and 32 bytes per chunk. It is at `path` only when it is whole and
 * synced, in the place of an older session's; after a failure nothing new is left. Whoever was interrupted starts again with a new session: no nonce may meet
 * other bytes. Throws what `read` throws, 'disk-full', 'disk-io', and the signal's reason.
 */
export async function writeContainer(input: ContainerInput): Promise<ContainerSummary> {
  const file = await startFile(input.path);
  try {
    const summary = await writeAll(input, file);
    await file.finish();
    input.onProgress?.({ diskBytes: input.disks.map((disk) => disk.sizeBytes), fileBytes: summary.fileBytes });
    return summary;
  } catch (error) {
    // The first failure is the one to tell; what cannot be removed now goes when the next container is started.
    await file.discard().catch(() => undefined);
    throw error;
  }
}

async function writeAll(input: ContainerInput, file: FileInTheMaking): Promise<ContainerSummary> {
  const writer = new RecordWriter(file);
  await writer.write(encodeHead({ session: input.session, disks: [...input.disks] }));
  const digests: Buffer[] = [];
  for (const disk of input.disks.keys()) digests.push(await writeDisk(input, disk, writer));
  const manifest = input.manifest(digests.map(digestOfAll));
  const bytes = encodeManifest(
    manifest,
    digests.map((all) => [all]),
  );
  for (const record of sealManifest(bytes, input.keys, () => writer.nextCounter())) await writer.writeRecord(record);
  await file.append(writer.end(input.keys));
  const plainBytes = input.disks.reduce((sum, disk) => sum + disk.sizeBytes, 0);
  return { root: manifestRoot(manifest), manifest, plainBytes, fileBytes: writer.length };
}

/** Seals one disk: while a record is being written, the next chunk is read and sealed. Returns all its chunk digests. */
async function writeDisk(input: ContainerInput, disk: number, writer: RecordWriter): Promise<Buffer> {
  const { sizeBytes = 0 } = input.disks[disk] ?? {};
  const keys = chunkKeys(input.keys, disk);
  const count = chunkCount(sizeBytes);
  const digests = Buffer.alloc(count * digestBytes);
  const recordBytes = sealedBytes(Math.min(chunkBytes, sizeBytes));
  const records = [Buffer.alloc(recordBytes), Buffer.alloc(recordBytes)] as const;
  let writing: Promise<void> = Promise.resolve();
  try {
    for (let index = 0; index < count; index += 1) {
      input.signal?.throwIfAborted();
      const plain = await input.read(disk, index);
      const expected = chunkLength(sizeBytes, index);
      if (plain.length !== expected) throw changed(disk, index, plain.length, expected);
      const record = records[index % 2 === 0 ? 0 : 1];
      const at = { disk, index, counter: writer.nextCounter() };
      const header = sealChunk(plain, at, keys, { compress: input.compress }, record.subarray(headerBytes));
      encodeHeader(header, record);
      const zero = header.flags === zeroFlag;
      const digest = zero ? zeroDigest(plain.length) : chunkDigest(plain);
      digest.copy(digests, index * digestBytes);
      input.onDigest?.(disk, index, digest, zero);
      await writing;
      writing = writer.writeChunk(record.subarray(0, headerBytes + header.bodyBytes), disk, plain.length, input);
      // A failure is told at the next turn; until then it must not count as unhandled.
      writing.catch(() => undefined);
    }
  } finally {
    await writing;
  }
  return digests;
}

/** Appends records, keeps the counts that the end record names, and syncs every so often. */
class RecordWriter {
  length = 0;
  private readonly file: FileInTheMaking;
  private readonly sum = structureSum();
  private records = 0;
  private counter = 0n;
  private diskBytes: number[] = [];
  private syncedLength = 0;
  private syncedRecords = 0;

  constructor(file: FileInTheMaking) {
    this.file = file;
  }

  nextCounter(): bigint {
    this.counter += 1n;
    return this.counter;
  }

  async write(head: Buffer): Promise<void> {
    this.sum.update(head);
    await this.append(head);
  }

  async writeRecord(record: Buffer): Promise<void> {
    this.sum.update(record.subarray(0, headerBytes));
    this.records += 1;
    await this.append(record);
  }

  async writeChunk(record: Buffer, disk: number, plainBytes: number, input: ContainerInput): Promise<void> {
    await this.writeRecord(record);
    while (this.diskBytes.length < input.disks.length) this.diskBytes.push(0);
    this.diskBytes[disk] = (this.diskBytes[disk] ?? 0) + plainBytes;
    if (this.length - this.syncedLength < syncBytes && this.records - this.syncedRecords < syncChunks) return;
    await this.file.sync();
    this.syncedLength = this.length;
    this.syncedRecords = this.records;
    input.onProgress?.({ diskBytes: [...this.diskBytes], fileBytes: this.length });
  }

  end(keys: SessionKeys): Buffer {
    const end = encodeEnd({ records: this.records, endsAt: this.length, digest: this.sum.digest() }, keys);
    this.length += end.length;
    return end;
  }

  private async append(bytes: Buffer): Promise<void> {
    await this.file.append(bytes);
    this.length += bytes.length;
  }
}

function digestOfAll(digests: Buffer): string {
  const sum = diskDigest();
  sum.add(digests);
  return sum.end();
}

function changed(disk: number, index: number, bytes: number, expected: number): SealiftError {
  const place = `disk ${String(disk)} chunk ${String(index)}`;
  return new SealiftError('disk-changed', `${place} was read with ${String(bytes)} of ${String(expected)} bytes`);
}
