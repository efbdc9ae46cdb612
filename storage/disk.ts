import type { OpenFile } from '../dom0/access.ts';
import { dom0 } from '../dom0/dom0.ts';
import { errorCode, isAway } from '../dom0/system-errors.ts';
import { isSealiftError, SealiftError } from '../domain/error.ts';
import { pageBytes, withAlignedPage } from './aligned.ts';
import { openFailure, transferFailure } from './disk-errors.ts';
import { diskShapeOf, measure } from './disk-shape.ts';
import type { DiskMeasure } from './disk-shape.ts';
import { fatalError } from './fatal.ts';

export { diskShapeOf } from './disk-shape.ts';

/**
 * An open raw file or block device. Buffers come from `alignedBuffer` (any page of it); positions are multiples of 4096,
 * and so are lengths, unless they reach the disk's end. Calls may overlap in time as long as their ranges do not.
 */
export interface Disk {
  readonly path: string;
  readonly sizeBytes: number;
  readonly sectorBytes: number;
  /** Whether reads and writes bypass the page cache, so that a read-back reads the device. */
  readonly direct: boolean;
  /** Fills `into` from its start. Throws `disk-io`, or `disk-changed` when the disk has another size than when it was opened. */
  read(into: Buffer, atBytes: number, lengthBytes: number): Promise<void>;
  /** Writes the start of `from`; on disk only after `sync`. Throws `disk-io`, `disk-full`, `disk-changed`. */
  write(from: Buffer, atBytes: number, lengthBytes: number): Promise<void>;
  /**
   * Makes every write that ended before this call durable (fdatasync). A failure throws a fatal `disk-io`, and so does every
   * later call: the kernel has forgotten which data was lost, so the process ends (storage/fatal.ts).
   */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens a disk with O_DIRECT where the file system has it. Throws `disk-missing`, or `disk-unreadable` when it cannot be opened
 * this way, its first page cannot be read, it is empty, or it is neither a file nor a block device. Where a volume is larger than the
 * disk that it holds, the disk ends at `endBytes`.
 */
export async function openDisk(path: string, access: 'read' | 'write', endBytes?: number): Promise<Disk> {
  // Looks before it opens: opening a pipe would wait for its other end.
  await diskShapeOf(path);
  const straight = await openDirect(path, access);
  const handle = straight ?? (await openPlain(path, access));
  let tail: OpenFile | null = null;
  try {
    const status = await handle.stat();
    const whole = await measure(path, status);
    const shape = { ...whole, sizeBytes: Math.min(whole.sizeBytes, endBytes ?? whole.sizeBytes) };
    // Files keep to whole pages, which every file system takes.
    const unitBytes = straight === null ? 1 : status.kind === 'file' ? pageBytes : shape.sectorBytes;
    const tailFromBytes = shape.sizeBytes - (shape.sizeBytes % unitBytes);
    if (tailFromBytes < shape.sizeBytes && access === 'write') tail = await openPlain(path, access);
    return new OpenDisk({
      path,
      access,
      ...shape,
      wholeBytes: whole.sizeBytes,
      direct: straight !== null,
      handle,
      unitBytes,
      tail,
      tailFromBytes,
    });
  } catch (error) {
    await handle.close();
    await tail?.close();
    throw error;
  }
}

interface Opened extends DiskMeasure {
  path: string;
  access: 'read' | 'write';
  /** What the file or device has. */
  wholeBytes: number;
  direct: boolean;
  handle: OpenFile;
  /** What reads and writes by `handle` keep to. */
  unitBytes: number;
  /** Writes, through the page cache, what lies behind the last whole unit of O_DIRECT; null when nothing does. */
  tail: OpenFile | null;
  tailFromBytes: number;
}

class OpenDisk implements Disk {
  readonly path: string;
  readonly sizeBytes: number;
  readonly sectorBytes: number;
  readonly direct: boolean;
  readonly #opened: Opened;
  #syncFailure: SealiftError | null = null;

  constructor(opened: Opened) {
    this.path = opened.path;
    this.sizeBytes = opened.sizeBytes;
    this.sectorBytes = opened.sectorBytes;
    this.direct = opened.direct;
    this.#opened = opened;
  }

  async read(into: Buffer, atBytes: number, lengthBytes: number): Promise<void> {
    this.#checkRange(into, atBytes, lengthBytes);
    const wholeBytes = Math.min(lengthBytes, Math.max(0, this.#opened.tailFromBytes - atBytes));
    await this.#readFully(into, atBytes, wholeBytes);
    const oddBytes = lengthBytes - wholeBytes;
    if (oddBytes > 0) {
      // Not through the page cache: a direct read of a whole page stops at the end of the file.
      await withAlignedPage(async (page) => {
        await this.#readFully(page, atBytes + wholeBytes, oddBytes, pageBytes);
        page.copy(into, wholeBytes, 0, oddBytes);
      });
    }
    // A disk that grew shows only here.
    if (atBytes + lengthBytes === this.sizeBytes) await this.#checkSize();
  }

  async write(from: Buffer, atBytes: number, lengthBytes: number): Promise<void> {
    this.#checkRange(from, atBytes, lengthBytes);
    if (this.#opened.access === 'read')
      throw new SealiftError('internal', `disk ${this.path} is open for reading only`);
    const { handle, tail, tailFromBytes } = this.#opened;
    const wholeBytes = Math.min(lengthBytes, Math.max(0, tailFromBytes - atBytes));
    await this.#writeFully(handle, from.subarray(0, wholeBytes), atBytes);
    if (wholeBytes < lengthBytes) {
      await this.#writeFully(tail ?? handle, from.subarray(wholeBytes, lengthBytes), atBytes + wholeBytes);
    }
  }

  async sync(): Promise<void> {
    if (this.#syncFailure !== null) throw this.#syncFailure;
    try {
      // Also for what the tail's handle wrote: it is one file, and this handle was opened first, so it sees every error.
      await this.#opened.handle.datasync();
    } catch (error) {
      if (isSealiftError(error)) throw error;
      this.#syncFailure = fatalError(`disk ${this.path} failed to sync (${errorCode(error)})`, error);
      throw this.#syncFailure;
    }
    // A write behind the end of a file that shrank has made it longer again, with a hole.
    await this.#checkSize();
  }

  async close(): Promise<void> {
    await this.#opened.tail?.close();
    await this.#opened.handle.close();
  }

  async #readFully(into: Buffer, atBytes: number, neededBytes: number, askedBytes = neededBytes): Promise<void> {
    let done = 0;
    while (done < neededBytes) {
      const { bytesRead } = await this.#opened.handle
        .read(into, done, askedBytes - done, atBytes + done)
        .catch((error: unknown) => {
          throw transferFailure(this.path, 'read', atBytes + done, error);
        });
      if (bytesRead === 0) throw this.#changed(`ended at byte ${String(atBytes + done)}`);
      if (done + bytesRead >= neededBytes) return;
      // Goes on where O_DIRECT can: a short read need not end on a page.
      const usable = bytesRead - (bytesRead % this.#opened.unitBytes);
      if (usable === 0) throw this.#changed(`ended at byte ${String(atBytes + done + bytesRead)}`);
      done += usable;
    }
  }

  async #writeFully(handle: OpenFile, from: Buffer, atBytes: number): Promise<void> {
    let done = 0;
    while (done < from.length) {
      const { bytesWritten } = await handle
        .write(from, done, from.length - done, atBytes + done)
        .catch((error: unknown) => {
          throw transferFailure(this.path, 'write', atBytes + done, error);
        });
      const rest = handle === this.#opened.handle ? bytesWritten % this.#opened.unitBytes : 0;
      if (bytesWritten - rest === 0) {
        throw new SealiftError('disk-full', `disk ${this.path} takes no more at byte ${String(atBytes + done)}`);
      }
      done += bytesWritten - rest;
    }
  }

  #checkRange(buffer: Buffer, atBytes: number, lengthBytes: number): void {
    const endBytes = atBytes + lengthBytes;
    const aligned = atBytes % pageBytes === 0 && (lengthBytes % pageBytes === 0 || endBytes === this.sizeBytes);
    if (aligned && atBytes >= 0 && lengthBytes > 0 && endBytes <= this.sizeBytes && lengthBytes <= buffer.length)
      return;
    throw new SealiftError(
      'internal',
      `disk ${this.path} of ${String(this.sizeBytes)} bytes has no piece of ${String(lengthBytes)} bytes at ${String(atBytes)}` +
        ` for a buffer of ${String(buffer.length)}`,
    );
  }

  async #checkSize(): Promise<void> {
    const { sizeBytes } = await measure(this.path, await this.#opened.handle.stat()).catch((error: unknown) => {
      throw isAway(error) ? error : this.#changed('went away', error);
    });
    if (sizeBytes !== this.#opened.wholeBytes) throw this.#changed(`has ${String(sizeBytes)}`);
  }

  #changed(how: string, cause?: unknown): SealiftError {
    return new SealiftError(
      'disk-changed',
      `disk ${this.path} had ${String(this.#opened.wholeBytes)} bytes and ${how}`,
      {
        cause,
      },
    );
  }
}

async function openDirect(path: string, access: 'read' | 'write'): Promise<OpenFile | null> {
  // Newer kernels accept O_DIRECT on tmpfs and go through the page cache all the same.
  if ((await dom0().stat(path)).kind === 'file' && (await dom0().statfs(path)).type === tmpfsMagic) return null;
  let handle: OpenFile | undefined;
  try {
    const opened = await dom0().open(path, access, { direct: true });
    handle = opened;
    // Some file systems refuse only the first read. This also finds a disk that cannot be read at all.
    await withAlignedPage((page) => opened.read(page, 0, pageBytes, 0));
    return opened;
  } catch (error) {
    await handle?.close();
    if (errorCode(error) === 'EINVAL') return null;
    throw openFailure(path, access, error);
  }
}

async function openPlain(path: string, access: 'read' | 'write'): Promise<OpenFile> {
  try {
    return await dom0().open(path, access);
  } catch (error) {
    throw openFailure(path, access, error);
  }
}

/** TMPFS_MAGIC of linux/magic.h */
const tmpfsMagic = 0x01021994;
