import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { decodeRecord, decodeRingHeader, headerBlockBytes, recordBytes, recordOffset } from './record-format.ts';
import type { GuestRecord, RecordRegion } from './record-format.ts';

export interface BootRecords {
  boot: number;
  /** The host that the guest ran on. */
  host: string;
  /** The boot's first and last record that are still in the ring. */
  first: number;
  last: number;
  /** Whether the guest halted by itself; false for a guest that still runs, was destroyed, or lost its last writes. */
  halted: boolean;
}

export interface RecordsReport {
  /** The lowest and the highest number in the ring; 0 when there is none. */
  first: number;
  last: number;
  boots: BootRecords[];
  /** One line for each record that is lost, doubled, out of order or damaged; empty when all is well. */
  problems: string[];
}

type Found = GuestRecord & { crc: number };
const mib = 1024 * 1024;
const zeroSector = Buffer.alloc(recordBytes);
const looks = 3;

/**
 * Reads the records that a stand-in guest wrote to the disk at `path` and says what is wrong with them. A guest may still be
 * writing. Lost writes at the very end show only as a boot that is not `halted` before a later one.
 */
export async function checkRecords(path: string): Promise<RecordsReport> {
  const disk = await open(path, 'r');
  try {
    const region = await findRegion(disk);
    if (region === null) return { first: 0, last: 0, boots: [], problems: [`there is no ring of records on ${path}`] };
    let report = await look(disk, region);
    // A ring that is written while it is read looks torn; a real problem is there at every look.
    for (let again = 1; again < looks && report.problems.length > 0; again += 1) report = await look(disk, region);
    return report;
  } finally {
    await disk.close();
  }
}

/** The whole records on the disk at `path`: the checksum of each by its number, and the oldest number that the ring can still hold. */
export async function readRecords(path: string): Promise<{ records: Map<number, number>; oldest: number }> {
  const disk = await open(path, 'r');
  try {
    const region = await findRegion(disk);
    if (region === null) return { records: new Map(), oldest: 0 };
    const { records } = await readRing(disk, region);
    const last = Math.max(0, ...records.map(({ sequence }) => sequence));
    return { records: new Map(records.map(({ sequence, crc }) => [sequence, crc])), oldest: last - region.slots + 1 };
  } finally {
    await disk.close();
  }
}

/** The ring stands at the disk's begin or, when the VM had no other disk, at its last whole MiB. */
async function findRegion(disk: FileHandle): Promise<RecordRegion | null> {
  const sizeBytes = (await disk.stat()).size || (await sizeOfDevice(disk));
  const header = Buffer.alloc(headerBlockBytes);
  for (const start of [0, Math.max(0, Math.floor(sizeBytes / mib) - 1) * mib]) {
    const { bytesRead } = await disk.read(header, 0, headerBlockBytes, start);
    const slots = bytesRead === headerBlockBytes ? decodeRingHeader(header) : null;
    if (slots !== null) return { start, slots };
  }
  return null;
}

/** A block device's stat has no size: /sys has it, in sectors of 512 bytes. */
async function sizeOfDevice(disk: FileHandle): Promise<number> {
  const { rdev } = await disk.stat();
  const file = await open(`/sys/dev/block/${String(rdev >> 8)}:${String(rdev & 255)}/size`, 'r');
  try {
    return Number(await file.readFile('utf8')) * 512;
  } finally {
    await file.close();
  }
}

async function look(disk: FileHandle, region: RecordRegion): Promise<RecordsReport> {
  const { records: found, problems } = await readRing(disk, region);
  const last = found.reduce((highest, { sequence }) => Math.max(highest, sequence), 0);
  const expectedFirst = Math.max(1, last - region.slots + 1);
  // An older record is one that a lost record should have overwritten.
  const records = found.filter(({ sequence }) => sequence >= expectedFirst).sort((a, b) => a.sequence - b.sequence);
  const first = records[0]?.sequence ?? 0;
  if (first > expectedFirst) problems.push(lostLine(expectedFirst, first - 1));
  records.forEach((record, index) => {
    const before = records[index - 1];
    if (before !== undefined) problems.push(...sequels(before, record));
  });
  return { first, last, boots: bootsOf(records), problems };
}

async function readRing(disk: FileHandle, region: RecordRegion): Promise<{ records: Found[]; problems: string[] }> {
  const ring = Buffer.alloc(region.slots * recordBytes);
  await disk.read(ring, 0, ring.length, region.start + headerBlockBytes);
  const records: Found[] = [];
  const problems: string[] = [];
  for (let slot = 0; slot < region.slots; slot += 1) {
    const sector = ring.subarray(slot * recordBytes, (slot + 1) * recordBytes);
    const at = recordOffset(region, slot + 1);
    const record = decodeRecord(sector);
    if (record === null) {
      if (!isZero(sector)) problems.push(`the record at byte ${String(at)} is damaged`);
    } else if (recordOffset(region, record.sequence) !== at) {
      problems.push(`record ${String(record.sequence)} is out of place, at byte ${String(at)}`);
    } else {
      records.push(record);
    }
  }
  return { records, problems };
}

function isZero(sector: Buffer): boolean {
  return sector.equals(zeroSector);
}

/** What is wrong between a record and the next one in number. */
function sequels(before: Found, record: Found): string[] {
  const name = `record ${String(record.sequence)}`;
  if (record.sequence > before.sequence + 1) return [lostLine(before.sequence + 1, record.sequence - 1)];
  const problems: string[] = [];
  if (record.previousCrc !== before.crc)
    problems.push(`${name} does not follow the one before it: that one was written twice`);
  if (record.uuid !== before.uuid) problems.push(`${name} is of another VM (${record.uuid})`);
  if (record.boot < before.boot) problems.push(`${name} of boot ${String(record.boot)} is out of order`);
  if (record.boot === before.boot && record.nonce !== before.nonce)
    problems.push(`${name} is doubled: two guests were boot ${String(record.boot)}`);
  if (record.boot > before.boot && record.kind !== 'boot')
    problems.push(`the begin of boot ${String(record.boot)} is lost`);
  return problems;
}

function lostLine(first: number, last: number): string {
  return first === last ? `record ${String(first)} is lost` : `records ${String(first)} to ${String(last)} are lost`;
}

function bootsOf(records: Found[]): BootRecords[] {
  const boots: BootRecords[] = [];
  for (const { boot, host, sequence, kind } of records) {
    const current = boots.at(-1);
    if (current?.boot === boot) {
      current.last = sequence;
      current.halted = kind === 'halt';
    } else {
      boots.push({ boot, host, first: sequence, last: sequence, halted: kind === 'halt' });
    }
  }
  return boots;
}
