import { crc32 } from 'node:zlib';

/*
 * What the guest writes: a header block, then a ring of records, one per sector. Numbers are big-endian.
 *
 * header  'SEALRING' 8 | version u32 | slots u32 | zeros | crc32 u32 over all before
 * record  'SEALREC1' 8 | sequence u64 | boot u32 | kind u32 | uuid 16 | nonce of the boot u64 | wall time ms u64
 *         | crc32 of the record before u32 | zeros 4 | host name 32 | filler drawn from the sequence | crc32 u32 over all before
 */
export const recordBytes = 512;
export const headerBlockBytes = 4096;
const headerMagic = Buffer.from('SEALRING');
const recordMagic = Buffer.from('SEALREC1');
const formatVersion = 1;
const mib = 1024 * 1024;
const fillerAt = 96;
const crcAt = recordBytes - 4;

/** `boot` opens a boot, `data` is the guest at work, `halt` its last write before it halts or reboots by itself. */
export type RecordKind = 'boot' | 'data' | 'halt';
const kinds: RecordKind[] = ['boot', 'data', 'halt'];

export interface GuestRecord {
  /** From 1, one more for each record, over all boots and hosts. */
  sequence: number;
  boot: number;
  kind: RecordKind;
  uuid: string;
  /** Drawn at each boot: two boots with one number are two guests that ran side by side. */
  nonce: bigint;
  timeMs: number;
  previousCrc: number;
  host: string;
}

/** Where on a disk records may lie, in bytes. The ring follows a header block at `start`. */
export interface RecordRegion {
  start: number;
  slots: number;
}

/**
 * The region of a disk of `sizeBytes`: its first `regionMib` for a data disk; for the only disk of a VM, which has a file system,
 * its last whole MiB. Null when the disk is too small.
 */
export function recordRegion(sizeBytes: number, onlyDisk: boolean, regionMib: number): RecordRegion | null {
  const start = onlyDisk ? Math.max(0, Math.floor(sizeBytes / mib) - 1) * mib : 0;
  const bytes = Math.min(sizeBytes - start, onlyDisk ? mib : regionMib * mib);
  const slots = Math.floor((bytes - headerBlockBytes) / recordBytes);
  return slots < 2 ? null : { start, slots };
}

/** Where on the disk record `sequence` lies, in bytes. */
export function recordOffset(region: RecordRegion, sequence: number): number {
  return region.start + headerBlockBytes + ((sequence - 1) % region.slots) * recordBytes;
}

/** The header block of a ring of so many slots. */
export function encodeRingHeader(slots: number): Buffer {
  const block = Buffer.alloc(headerBlockBytes);
  headerMagic.copy(block);
  block.writeUInt32BE(formatVersion, 8);
  block.writeUInt32BE(slots, 12);
  block.writeUInt32BE(crc32(block.subarray(0, -4)), headerBlockBytes - 4);
  return block;
}

/** The number of slots that a header block names, or null when it is none. */
export function decodeRingHeader(block: Buffer): number | null {
  if (!block.subarray(0, 8).equals(headerMagic)) return null;
  if (block.readUInt32BE(headerBlockBytes - 4) !== crc32(block.subarray(0, -4))) return null;
  return block.readUInt32BE(8) === formatVersion ? block.readUInt32BE(12) : null;
}

/** The sector of a record, and its checksum, which the next record carries. */
export function encodeRecord(record: GuestRecord): { sector: Buffer; crc: number } {
  const sector = Buffer.alloc(recordBytes);
  recordMagic.copy(sector);
  sector.writeBigUInt64BE(BigInt(record.sequence), 8);
  sector.writeUInt32BE(record.boot, 16);
  sector.writeUInt32BE(kinds.indexOf(record.kind), 20);
  sector.write(record.uuid.replaceAll('-', ''), 24, 'hex');
  sector.writeBigUInt64BE(record.nonce, 40);
  sector.writeBigUInt64BE(BigInt(record.timeMs), 48);
  sector.writeUInt32BE(record.previousCrc, 56);
  sector.write(record.host.slice(0, 32), 64, 'latin1');
  fill(sector, record.sequence);
  const crc = crc32(sector.subarray(0, crcAt));
  sector.writeUInt32BE(crc, crcAt);
  return { sector, crc };
}

/** The record of a sector, or null when the sector holds none that is whole. */
export function decodeRecord(sector: Buffer): (GuestRecord & { crc: number }) | null {
  if (!sector.subarray(0, 8).equals(recordMagic)) return null;
  const crc = sector.readUInt32BE(crcAt);
  const kind = kinds[sector.readUInt32BE(20)];
  if (crc32(sector.subarray(0, crcAt)) !== crc || kind === undefined) return null;
  return {
    sequence: Number(sector.readBigUInt64BE(8)),
    boot: sector.readUInt32BE(16),
    kind,
    uuid: uuidText(sector.subarray(24, 40)),
    nonce: sector.readBigUInt64BE(40),
    timeMs: Number(sector.readBigUInt64BE(48)),
    previousCrc: sector.readUInt32BE(56),
    host: sector.toString('latin1', 64, 96).replaceAll('\0', ''),
    crc,
  };
}

/** Fills the rest with bytes that do not compress away and differ from record to record. */
function fill(sector: Buffer, sequence: number): void {
  let word = (sequence * 2654435761) >>> 0 || 1;
  for (let at = fillerAt; at < crcAt; at += 4) {
    word ^= word << 13;
    word ^= word >>> 17;
    word ^= word << 5;
    sector.writeUInt32BE(word >>> 0, at);
  }
}

function uuidText(bytes: Buffer): string {
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
