import { randomBytes } from 'node:crypto';
import { fdatasyncSync, readSync, writeSync } from './fs.ts';
import { decodeRecord, decodeRingHeader, encodeRecord, encodeRingHeader } from './record-format.ts';
import { headerBlockBytes, recordBytes, recordOffset } from './record-format.ts';
import type { RecordKind, RecordRegion } from './record-format.ts';

/** What the guest keeps in its memory: a saved image carries it, and a restored guest goes on from it. */
export interface GuestMemory {
  nextSequence: number;
  boot: number;
  /** Decimal, since JSON has no 64-bit numbers. */
  nonce: string;
  previousCrc: number;
}

/** A record that is on the guest's disk, synced. */
export interface WrittenRecord {
  sequence: number;
  crc: number;
}

/** The guest's writes to its ring, each synced before the call returns. */
export class RecordWriter {
  readonly #disk: number;
  readonly #region: RecordRegion;
  readonly #guest: { uuid: string; host: string };
  /** The record that `boot` wrote; null when the guest resumed. */
  first: WrittenRecord | null = null;
  #memory: GuestMemory;

  private constructor(disk: number, region: RecordRegion, guest: { uuid: string; host: string }, memory: GuestMemory) {
    this.#disk = disk;
    this.#region = region;
    this.#guest = guest;
    this.#memory = memory;
  }

  /**
   * Boots on the ring of the open disk `disk`: goes on behind the highest record there and writes a record of the boot.
   * Null when the region holds something that is neither a ring nor zeros: it belongs to somebody.
   */
  static boot(disk: number, region: RecordRegion, guest: { uuid: string; host: string }): RecordWriter | null {
    const ring = Buffer.alloc(headerBlockBytes + region.slots * recordBytes);
    const got = readSync(disk, ring, 0, ring.length, region.start);
    if (got !== ring.length) return null;
    const header = ring.subarray(0, headerBlockBytes);
    const slots = decodeRingHeader(header);
    if (slots === null) {
      if (!ring.equals(Buffer.alloc(ring.length))) return null;
      writeSync(disk, encodeRingHeader(region.slots), 0, headerBlockBytes, region.start);
    } else if (slots !== region.slots) {
      return null;
    }
    let last: { sequence: number; boot: number; crc: number } = { sequence: 0, boot: 0, crc: 0 };
    for (let at = headerBlockBytes; at < ring.length; at += recordBytes) {
      const record = decodeRecord(ring.subarray(at, at + recordBytes));
      if (record !== null && record.sequence > last.sequence) last = record;
    }
    const writer = new RecordWriter(disk, region, guest, {
      nextSequence: last.sequence + 1,
      boot: last.boot + 1,
      nonce: String(randomBytes(8).readBigUInt64BE()),
      previousCrc: last.crc,
    });
    writer.first = writer.write('boot');
    return writer;
  }

  /** Goes on with the memory of a saved guest, whatever the disk says by now: exactly what a restored guest does. */
  static resume(
    disk: number,
    region: RecordRegion,
    guest: { uuid: string; host: string },
    memory: GuestMemory,
  ): RecordWriter {
    return new RecordWriter(disk, region, guest, memory);
  }

  get memory(): GuestMemory {
    return { ...this.#memory };
  }

  /** Writes the next record and syncs it. Throws what the disk throws; the record then counts as not written. */
  write(kind: RecordKind): WrittenRecord {
    const { nextSequence, boot, nonce, previousCrc } = this.#memory;
    const { sector, crc } = encodeRecord({
      ...this.#guest,
      sequence: nextSequence,
      boot,
      kind,
      nonce: BigInt(nonce),
      timeMs: Date.now(),
      previousCrc,
    });
    writeSync(this.#disk, sector, 0, recordBytes, recordOffset(this.#region, nextSequence));
    fdatasyncSync(this.#disk);
    this.#memory = { ...this.#memory, nextSequence: nextSequence + 1, previousCrc: crc };
    return { sequence: nextSequence, crc };
  }
}
