import { readFile, rm, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { readMark } from '../../storage/mark.ts';
import type { Mark } from '../../storage/mark.ts';
import { poolSpace } from '../../storage/pool.ts';
import { allocateVolume } from '../../storage/volume-pool.ts';
import { StandInVolumes } from '../support/volumes.ts';

const MiB = 1024 * 1024;
const pool = { name: 'fast', kind: 'lvm', group: 'vg0' } as const;
const mark: Mark = {
  v: 1,
  lineage: '1'.repeat(32),
  token: 2,
  role: 'landing',
  vmUuid: '00000000-0000-4000-8000-000000000001',
  vmName: 'web-1',
};
const wanted = { name: 'vm-web-1.11111111.2.xvda', sizeBytes: 5 * MiB + 512, reservedBytes: 0, mark };

let volumes: StandInVolumes;
beforeEach(() => {
  volumes = new StandInVolumes();
});
afterEach(async () => {
  await rm(volumes.folder, { recursive: true });
});

describe('a pool of logical volumes', () => {
  test('makes a volume of whole extents, marked, with zeros behind the end of the disk', async () => {
    const made = await allocateVolume(pool, wanted);
    expect(await readMark(made)).toEqual(mark);
    const content = await readFile(made.path);
    expect(content.length).toBe(8 * MiB);
    // What is in front of the end is the landing's to write.
    expect(content.subarray(0, 3).toString()).toBe('old');
    expect(content.subarray(wanted.sizeBytes).every((byte) => byte === 0)).toBe(true);
    expect(await poolSpace(pool)).toMatchObject({ freeBytes: 56 * MiB, totalBytes: 64 * MiB, unitBytes: 4 * MiB });
  });

  test('zeroes what lies there from the page on that the disk ends in', async () => {
    const made = await allocateVolume(pool, wanted);
    await writeFile(made.path, Buffer.alloc(8 * MiB, 1), { flag: 'r+' });
    // A call that is repeated, as after a crash, gives the same volume, and zeroes what a crash may have left.
    expect(await allocateVolume(pool, wanted)).toEqual(made);
    const content = await readFile(made.path);
    expect(content.subarray(0, 5 * MiB).every((byte) => byte === 1)).toBe(true);
    expect(content.subarray(5 * MiB).every((byte) => byte === 0)).toBe(true);
  });

  test('never touches a volume of that name that is not the landing’s own', async () => {
    const made = await allocateVolume(pool, wanted);
    for (const other of [
      { ...mark, lineage: '2'.repeat(32) },
      { ...mark, token: 3 },
      { ...mark, role: 'source' as const },
    ]) {
      await expect(allocateVolume(pool, { ...wanted, mark: other })).rejects.toMatchObject({ type: 'unknown-state' });
    }
    const larger = { ...wanted, sizeBytes: 9 * MiB };
    await expect(allocateVolume(pool, larger)).rejects.toMatchObject({ type: 'unknown-state' });
    expect(await readMark(made)).toEqual(mark);
    await volumes.make('bare', 8 * MiB);
    await expect(allocateVolume(pool, { ...wanted, name: 'bare' })).rejects.toMatchObject({ type: 'unknown-state' });
  });

  test('refuses what does not fit, counted in extents and with what others have reserved', async () => {
    await expect(allocateVolume(pool, { ...wanted, sizeBytes: 64 * MiB + 512 })).rejects.toMatchObject({
      type: 'no-space',
    });
    const reserved = { ...wanted, sizeBytes: 32 * MiB, reservedBytes: 33 * MiB };
    await expect(allocateVolume(pool, reserved)).rejects.toMatchObject({ type: 'no-space' });
    await allocateVolume(pool, { ...wanted, sizeBytes: 64 * MiB });
  });

  test('is refused where its group is not there, or LVM does not answer', async () => {
    await expect(poolSpace({ ...pool, group: 'none' })).rejects.toMatchObject({ type: 'bad-config' });
    await expect(poolSpace({ ...pool, thin: 'none' })).rejects.toMatchObject({ type: 'bad-config' });
    await writeFile(`${volumes.folder}/volumes.json`, 'no JSON');
    await expect(poolSpace(pool)).rejects.toMatchObject({ type: 'lvm-failed' });
    const path = process.env.PATH;
    process.env.PATH = '/nowhere';
    await expect(poolSpace(pool)).rejects.toMatchObject({ type: 'lvm-failed', hint: 'install lvm2' });
    process.env.PATH = path;
  });
});
