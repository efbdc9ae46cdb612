import { chunkBytes, chunkLength } from '../domain/chunks.ts';
import type { ChunkHeader, ChunkKeys } from '../seal/chunk.ts';
import { openDisk } from '../storage/disk.ts';
import type { Disk } from '../storage/disk.ts';
import { isZero, zeroRange } from '../storage/zero.ts';
import type { Codec } from './codec.ts';
import type { RecordDigest } from './control.ts';
import type { Grant, ThreadDisk } from './landing-messages.ts';

/** A run's disks in one thread of the landing. */
export class LandingDisks {
  readonly shapes: readonly ThreadDisk[];
  readonly #codec: Codec;
  readonly #touched: Uint8Array[];
  readonly #open = new Map<number, Promise<Disk>>();
  #writing = 0;
  #idle: (() => void)[] = [];

  constructor(shapes: readonly ThreadDisk[], codec: Codec) {
    this.shapes = shapes;
    this.#codec = codec;
    this.#touched = shapes.map((shape) => new Uint8Array(shape.touched));
  }

  /** Whether a chunk of zeros has to be looked at on the disk. */
  isTouched(disk: number, index: number): boolean {
    return Atomics.load(this.#touched[disk] as Uint8Array, index) === 1;
  }

  /** Writes a verified chunk from `slot`. Not durable before the disk's sync. */
  async write(disk: number, index: number, slot: Buffer, zero: boolean): Promise<void> {
    this.#writing += 1;
    try {
      if (!zero) Atomics.store(this.#touched[disk] as Uint8Array, index, 1);
      const length = this.#length(disk, index);
      const opened = await this.#disk(disk);
      if (zero) await zeroRange(opened, index * chunkBytes, length, slot);
      else await opened.write(slot, index * chunkBytes, length);
    } finally {
      this.#writing -= 1;
      if (this.#writing === 0) for (const idle of this.#idle.splice(0)) idle();
    }
  }

  /** The digest of what the device has now. */
  async readBack(disk: number, index: number, slot: Buffer): Promise<Buffer> {
    const length = this.#length(disk, index);
    await (await this.#disk(disk)).read(slot, index * chunkBytes, length);
    if (isZero(slot, length)) return this.#codec.zeroDigest(length);
    return this.#codec.digest(slot.subarray(0, length));
  }

  /** When no write is under way; with no connection left none will follow. */
  async quiet(): Promise<void> {
    while (this.#writing > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  async close(): Promise<void> {
    await this.quiet();
    const open = [...this.#open.values()];
    this.#open.clear();
    for (const disk of await Promise.allSettled(open)) if (disk.status === 'fulfilled') await disk.value.close();
  }

  #length(disk: number, index: number): number {
    return chunkLength((this.shapes[disk] as ThreadDisk).sizeBytes, index);
  }

  #disk(disk: number): Promise<Disk> {
    let opened = this.#open.get(disk);
    if (opened === undefined) {
      const { path, sizeBytes } = this.shapes[disk] as ThreadDisk;
      opened = openDisk(path, 'write', sizeBytes);
      this.#open.set(disk, opened);
      // One that was away is looked for again.
      opened.catch(() => this.#open.delete(disk));
    }
    return opened;
  }
}

/** What one session may put on a run's disks. */
export class LandingSession {
  readonly grant: Grant;
  readonly disks: LandingDisks;
  readonly #codec: Codec;
  readonly #keys: ChunkKeys[];
  readonly #newest: BigInt64Array[];

  constructor(grant: Grant, disks: LandingDisks, codec: Codec) {
    this.grant = grant;
    this.disks = disks;
    this.#codec = codec;
    const keys = { key: Buffer.from(grant.key), context: Buffer.from(grant.context), clear: grant.clear };
    this.#keys = grant.disks.map((_, disk) => codec.keys(keys, disk));
    this.#newest = grant.newest.map((shared) => new BigInt64Array(shared));
  }

  /**
   * Verifies and opens a record in place and returns its digest; throws 'tag-mismatch' or 'bad-frame'. What the session's sender told of this very
   * record is taken for it: whether the disk has that is seen when it is read back.
   */
  open(header: ChunkHeader, slot: Buffer, told: RecordDigest | null): Buffer {
    this.#codec.open(header, slot, this.#keys[header.disk] as ChunkKeys, slot);
    if (header.bodyBytes === 0) return this.#codec.zeroDigest(header.plainBytes);
    const isTold = told?.disk === header.disk && told.index === header.index && told.counter === header.counter;
    return isTold ? told.digest : this.#codec.digest(slot.subarray(0, header.plainBytes));
  }

  /**
   * Lets a verified record in once, and none that is older than one let in before: a record sent twice by somebody on the
   * way, or one that a stalled stream brings late.
   */
  admit(header: ChunkHeader): boolean {
    const newest = this.#newest[header.disk] as BigInt64Array;
    for (;;) {
      const known = Atomics.load(newest, header.index);
      if (header.counter <= known) return false;
      if (Atomics.compareExchange(newest, header.index, known, header.counter) === known) return true;
    }
  }
}
