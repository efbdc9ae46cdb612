import { closeSync, openSync } from 'node:fs';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { recordBytes, recordOffset, recordRegion } from '../../infra/lab/record-format.ts';
import { RecordWriter } from '../../infra/lab/record-writer.ts';
import { checkRecords } from '../../infra/lab/records.ts';

const sizeBytes = 64 * 1024;
const region = recordRegion(sizeBytes, false, 16) ?? { start: 0, slots: 0 };
const guest = { uuid: '11111111-2222-3333-4444-555555550001', host: 'lon-1' };
let folder: string;
let disk: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sealift-records-'));
  disk = join(folder, 'xvdb.raw');
  await writeFile(disk, Buffer.alloc(sizeBytes));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

/** Boots on the disk, writes so many records (the one of the boot included) and halts when asked. */
function boot(records: number, halt = false): void {
  const file = openSync(disk, 'r+');
  const writer = RecordWriter.boot(file, region, guest);
  for (let written = 1; written < records; written += 1) writer?.write('data');
  if (halt) writer?.write('halt');
  closeSync(file);
}

async function overwrite(sequence: number, bytes: Buffer, inside = 0): Promise<void> {
  const file = await open(disk, 'r+');
  await file.write(bytes, 0, bytes.length, recordOffset(region, sequence) + inside);
  await file.close();
}

async function sectorOf(sequence: number): Promise<Buffer> {
  const file = await open(disk, 'r');
  const sector = Buffer.alloc(recordBytes);
  await file.read(sector, 0, recordBytes, recordOffset(region, sequence));
  await file.close();
  return sector;
}

describe('checkRecords', () => {
  test('finds nothing wrong with boots that follow each other, before and after the ring is full', async () => {
    boot(10, true);
    boot(5);
    expect(await checkRecords(disk)).toEqual({
      first: 1,
      last: 16,
      boots: [
        { boot: 1, host: 'lon-1', first: 1, last: 11, halted: true },
        { boot: 2, host: 'lon-1', first: 12, last: 16, halted: false },
      ],
      problems: [],
    });
    boot(region.slots + 7, true);
    const report = await checkRecords(disk);
    expect(report.problems).toEqual([]);
    expect([report.first, report.last]).toEqual([25, 24 + region.slots]);
  });

  test('tells a lost write, also where an older record is left in its place', async () => {
    boot(10);
    await overwrite(4, Buffer.alloc(recordBytes));
    expect((await checkRecords(disk)).problems).toEqual(['record 4 is lost']);
    await overwrite(5, Buffer.alloc(recordBytes));
    expect((await checkRecords(disk)).problems).toEqual(['records 4 to 5 are lost']);
    await writeFile(disk, Buffer.alloc(sizeBytes));
    boot(6);
    const old = await sectorOf(5);
    boot(region.slots);
    await overwrite(5, old);
    expect((await checkRecords(disk)).problems).toEqual([`record ${String(5 + region.slots)} is lost`]);
  });

  test('tells a damaged record and one that is out of place', async () => {
    boot(10);
    const third = await sectorOf(3);
    await overwrite(7, Buffer.from([1]), 200);
    expect((await checkRecords(disk)).problems).toEqual([
      expect.stringMatching(/^the record at byte \d+ is damaged$/),
      'record 7 is lost',
    ]);
    await overwrite(7, third);
    expect((await checkRecords(disk)).problems).toEqual([
      expect.stringMatching(/^record 3 is out of place/),
      'record 7 is lost',
    ]);
  });

  test('tells writes that two guests made side by side', async () => {
    boot(5);
    const [one, two] = [openSync(disk, 'r+'), openSync(disk, 'r+')];
    const first = RecordWriter.boot(one, region, guest);
    const memory = first?.memory;
    if (memory === undefined) throw new Error('no ring');
    for (let written = 0; written < 4; written += 1) first?.write('data');
    const second = RecordWriter.resume(two, region, guest, { ...memory, nonce: '77' });
    second.write('data');
    second.write('data');
    closeSync(one);
    closeSync(two);
    const { problems } = await checkRecords(disk);
    expect(problems).toContain('record 7 is doubled: two guests were boot 2');
    expect(problems.join()).toMatch(/written twice/);
  });

  test('says so when there are no records', async () => {
    expect((await checkRecords(disk)).problems).toHaveLength(1);
  });
});
