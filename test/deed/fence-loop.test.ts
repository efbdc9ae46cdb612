import { mkdir, mkdtemp, open, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { fence, proveFenced, unfence } from '../../deed/fence.ts';
import type { FencePlaces } from '../../deed/fence.ts';
import { diskPlace, hasFile } from '../../storage/loop.ts';
import { readMark } from '../../storage/mark.ts';
import type { Mark } from '../../storage/mark.ts';
import { attach, canLoop, detach, needsLoops, privateLoop } from '../support/loops.ts';
import type { Task } from './fence-child.ts';
import { vm } from './support.ts';

const rootTest = canLoop ? test : test.skip;
const mark: Mark = { v: 1, lineage: '1'.repeat(32), token: 2, role: 'source', ...vm };
const text = 'what the guest wrote';

let folder: string;
let file: string;
let device: string;
let places: FencePlaces;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sealift-fence-'));
  file = join(folder, 'web-1.raw');
  device = privateLoop();
  places = {
    disks: [{ vdev: 'xvda', path: file, loop: { device, directIo: false } }],
    configPath: join(folder, 'web-1.cfg'),
    autostartPath: join(folder, 'auto.cfg'),
    savedImagePath: null,
    luns: [],
    asideFolder: join(folder, 'sealift/web-1'),
  };
  await writeFile(file, Buffer.alloc(1024 * 1024), { mode: 0o640 });
  await writeFile(join(folder, 'web-1.cfg'), 'name = "web-1"\n');
  await symlink('web-1.cfg', join(folder, 'auto.cfg'));
  if (canLoop) await attach(device, file);
});
afterEach(async () => {
  await detach(device);
  await execa('chattr', ['-R', '-f', '-i', folder], { reject: false });
  await rm(folder, { recursive: true });
});

async function write(path: string): Promise<void> {
  const disk = await open(path, 'r+');
  await disk.write(text, 0);
  await disk.close();
}

async function losetup(...args: string[]): Promise<boolean> {
  return !(await execa('losetup', args, { reject: false })).failed;
}

/** A process that fences or unfences, and kills itself after a step. Returns whether it did. */
async function killed(act: Task['act'], dieAfter: number): Promise<boolean> {
  const task: Task = { act, places, mark, kind: 'immutable', dieAfter };
  const script = join(import.meta.dirname, 'fence-child.ts');
  const { failed, signal, stderr } = await execa(process.execPath, [script, JSON.stringify(task)], { reject: false });
  if (failed && signal !== 'SIGKILL') throw new Error(stderr);
  return failed;
}

describe('the fence of a file below a loop device', () => {
  rootTest(`takes it from the device and gives it back, and keeps what was written ${needsLoops}`, async () => {
    await write(device);
    await fence(places, mark, 'immutable');
    await proveFenced(places, mark, 'immutable');
    expect(await readMark({ path: file })).toEqual(mark);
    expect((await readFile(file)).subarray(0, text.length).toString()).toBe(text);
    // What a boot script would do; after a reboot it is the same, since no device has the file either way.
    expect(await losetup(device, file)).toBe(false);
    await fence(places, mark, 'immutable');
    await unfence(places, mark);
    expect(await hasFile(device, file)).toBe(true);
    await write(device);
    expect(await diskPlace(device)).toEqual({ path: file, loop: { device, directIo: false } });
  });

  rootTest(`is not proven while a device reads the file, and a new one takes it away ${needsLoops}`, async () => {
    await fence(places, mark, 'immutable');
    expect(await losetup('--read-only', device, file)).toBe(true);
    await expect(proveFenced(places, mark, 'immutable')).rejects.toMatchObject({ type: 'disk-busy' });
    await fence(places, mark, 'immutable');
    await proveFenced(places, mark, 'immutable');
  });

  rootTest(`waits while somebody has the device open, or the file by another device ${needsLoops}`, async () => {
    const holder = await open(device, 'r+');
    await expect(fence(places, mark, 'immutable')).rejects.toMatchObject({
      type: 'disk-busy',
      cause: { message: expect.stringContaining(`(pid ${String(process.pid)})`) },
    });
    await holder.close();
    const other = privateLoop();
    await attach(other, file);
    await expect(fence(places, mark, 'immutable')).rejects.toMatchObject({ type: 'disk-busy' });
    await detach(other);
    expect(await readMark({ path: file })).toBeNull();
    expect(await hasFile(device, file)).toBe(true);
    await fence(places, mark, 'immutable');
  });

  rootTest(
    `killed at each step: the next call ends it, and an unfence undoes what there is ${needsLoops}`,
    async () => {
      // the notes, the device, the mark, the lock, two starters
      for (const step of [1, 2, 3, 4, 5, 6]) {
        expect(await killed('fence', step)).toBe(true);
        if (step % 2 === 0) {
          await fence(places, mark, 'immutable');
          await proveFenced(places, mark, 'immutable');
          expect(await killed('unfence', step)).toBe(true);
        }
        await unfence(places, mark);
        expect(await hasFile(device, file)).toBe(true);
        await write(device);
        expect(await readMark({ path: file })).toBeNull();
      }
    },
    60_000,
  );

  rootTest(`does not come off onto a device that has another file by now ${needsLoops}`, async () => {
    await fence(places, mark, 'immutable');
    const other = join(folder, 'other.raw');
    await writeFile(other, Buffer.alloc(4096));
    await attach(device, other);
    await expect(unfence(places, mark)).rejects.toMatchObject({
      type: 'disk-busy',
      message: expect.stringContaining(device),
    });
    // Nothing starts the VM before its disk is where its configuration says.
    await expect(readFile(join(folder, 'auto.cfg'))).rejects.toMatchObject({ code: 'ENOENT' });
    await detach(device);
    await unfence(places, mark);
    expect(await hasFile(device, file)).toBe(true);
  });
});

describe('where a disk lies', () => {
  rootTest(`is found through links and a loop device ${needsLoops}`, async () => {
    const link = join(folder, 'link');
    await symlink(device, link);
    expect(await diskPlace(link)).toEqual({ path: file, loop: { device, directIo: false } });
    expect(await diskPlace(file)).toEqual({ path: file });
    await expect(diskPlace(join(folder, 'none'))).rejects.toMatchObject({ type: 'disk-missing' });
  });

  rootTest(
    `cannot be fenced for a part of a file, a read-only device or another kind of device ${needsLoops}`,
    async () => {
      for (const [options, why] of [
        [['--offset', '512'], /offset/],
        [['--sizelimit', '4096'], /sizelimit/],
        [['--read-only'], /ro 1/],
        [['--sector-size', '4096'], /logical_block_size 4096/],
      ] as const) {
        await detach(device);
        await attach(device, file, ...options);
        await expect(diskPlace(device)).rejects.toMatchObject({
          type: 'fence-failed',
          message: expect.stringMatching(why),
        });
      }
      await detach(device);
      await expect(diskPlace(device)).rejects.toMatchObject({ type: 'fence-failed' });
      await mkdir(join(folder, 'nodes'));
      const node = join(folder, 'nodes/ram');
      // The first RAM disk's number: it need not be there, since a device is judged by what it is.
      await execa('mknod', [node, 'b', '1', '0']);
      await expect(diskPlace(node)).rejects.toMatchObject({
        type: 'fence-failed',
        message: expect.not.stringContaining('/'),
      });
    },
  );
});
