import type { FileHandle } from 'node:fs/promises';
import { chunkCount } from '../domain/chunks.ts';
import { checkPlace, decodeHeader, headerBytes, manifestDisk } from './chunk.ts';
import type { ChunkHeader } from './chunk.ts';
import { readUpTo } from './container-file.ts';
import { badContainer, decodeHeadText, endBytes, headPrefixBytes, headTextBytes, isEnd } from './container-format.ts';
import type { ContainerHead } from './container-format.ts';
import { maximumManifestBytes } from './sizes.ts';

/** One read covers the headers of 85 zero chunks in a row, and wastes little before a body. */
const windowBytes = 4096;

/** A record and where it stands in the file. */
export interface PlacedRecord {
  header: ChunkHeader;
  headerRaw: Buffer;
  bodyAt: number;
  /** For messages: "disk xvda chunk 5". */
  name: string;
}

/** Reads a container's head and its bytes. Throws 'bad-container'. */
export async function readHead(file: FileHandle): Promise<{ head: ContainerHead; bytes: Buffer }> {
  const prefix = await readWhole(file, 0, headPrefixBytes, 'its head');
  const text = await readWhole(file, headPrefixBytes, headTextBytes(prefix), 'its head');
  return { head: decodeHeadText(text), bytes: Buffer.concat([prefix, text]) };
}

/**
 * Goes through the records' headers: all chunks by disk and index, then, with `throughManifest`, the manifest's pieces.
 * Each is the one that belongs there and lies within the file, or it throws 'bad-container'; none is authentic yet.
 */
export async function* walkRecords(
  file: FileHandle,
  head: ContainerHead,
  headLength: number,
  throughManifest: boolean,
): AsyncGenerator<PlacedRecord> {
  const { size } = await file.stat();
  const window = new Window(file);
  let at = headLength;
  for (const [disk, shape] of head.disks.entries()) {
    for (let index = 0; index < chunkCount(shape.sizeBytes); index += 1) {
      const name = chunkName(head, disk, index);
      const record = await recordAt(window, at, size, name, (header) => {
        checkPlace(header, head.disks);
        return header.disk === disk && header.index === index;
      });
      at = record.bodyAt + record.header.bodyBytes;
      yield record;
    }
  }
  if (!throughManifest) return;
  let manifestBytes = 0;
  for (let index = 0; !isEnd(await window.bytes(at, headerBytes)); index += 1) {
    const name = index === 0 ? 'its manifest' : 'its manifest or end record';
    const record = await recordAt(window, at, size, name, (header) => {
      manifestBytes += header.plainBytes;
      return header.disk === manifestDisk && header.index === index && manifestBytes <= maximumManifestBytes;
    });
    at = record.bodyAt + record.header.bodyBytes;
    yield record;
  }
}

/** Reads the end record at `at`, which is the last thing in the file. */
export async function readEnd(file: FileHandle, at: number): Promise<Buffer> {
  const bytes = await readWhole(file, at, endBytes, 'its end record');
  const trailing = (await file.stat()).size - at - endBytes;
  if (trailing > 0) throw badContainer(`has ${String(trailing)} trailing bytes`);
  return bytes;
}

/** Reads a record's body to the start of `into`. */
export async function readBody(file: FileHandle, record: PlacedRecord, into: Buffer): Promise<void> {
  const body = into.subarray(0, record.header.bodyBytes);
  const got = await readUpTo(file, body, record.bodyAt);
  if (got < body.length) throw cutShort(record.bodyAt + got, record.name);
}

/** A chunk's name in messages. */
function chunkName(head: ContainerHead, disk: number, index: number): string {
  return `disk ${head.disks[disk]?.vdev ?? String(disk)} chunk ${String(index)}`;
}

async function recordAt(
  window: Window,
  at: number,
  size: number,
  name: string,
  belongs: (header: ChunkHeader) => boolean,
): Promise<PlacedRecord> {
  const headerRaw = await window.bytes(at, headerBytes);
  if (headerRaw.length < headerBytes) throw cutShort(at + headerRaw.length, name);
  let header: ChunkHeader;
  try {
    header = decodeHeader(headerRaw);
    if (!belongs(header)) throw badContainer('holds another record there');
  } catch (error) {
    throw badContainer(`is changed at byte ${String(at)}, in or before the record of ${name}`, error);
  }
  const bodyAt = at + headerBytes;
  if (bodyAt + header.bodyBytes > size) throw cutShort(size, name);
  return { header, headerRaw, bodyAt, name };
}

async function readWhole(file: FileHandle, at: number, length: number, name: string): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  const got = await readUpTo(file, bytes, at);
  if (got < length) throw cutShort(at + got, name);
  return bytes;
}

function cutShort(at: number, name: string): Error {
  return badContainer(`is cut short at byte ${String(at)}, in ${name}`);
}

/** Small reads of a file, most of them answered from the last piece read. */
class Window {
  private readonly file: FileHandle;
  private at = 0;
  private held = Buffer.alloc(0);

  constructor(file: FileHandle) {
    this.file = file;
  }

  /** A copy of the bytes at `at`; fewer than `length` only at the file's end. */
  async bytes(at: number, length: number): Promise<Buffer> {
    if (at < this.at || at + length > this.at + this.held.length) {
      const piece = Buffer.alloc(windowBytes);
      this.held = piece.subarray(0, await readUpTo(this.file, piece, at));
      this.at = at;
    }
    return Buffer.from(this.held.subarray(at - this.at, at - this.at + length));
  }
}
