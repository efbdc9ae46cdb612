import { lstat, mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { fence, proveFenced, unfence } from '../../deed/fence.ts';
import type { FencePlaces } from '../../deed/fence.ts';
import { readMark } from '../../storage/mark.ts';
import type { Mark } from '../../storage/mark.ts';
import { lockedName, placeNow } from '../../storage/volume.ts';
import type { Volume } from '../../storage/volume.ts';
import { StandInVolumes } from '../support/volumes.ts';
import type { Task } from './fence-child.ts';
import { vm } from './support.ts';

const mark: Mark = { v: 1, lineage: '1'.repeat(32), token: 2, role: 'source', ...vm };
const text = 'what the guest wrote';

let volumes: StandInVolumes;
let disk: { path: string; volume: Volume };
let places: FencePlaces;

beforeEach(async () => {
  volumes = new StandInVolumes();
  disk = await volumes.make('web-1', 4 * 1024 * 1024);
  await writeFile(disk.path, text, { flag: 'r+' });
  const xen = join(volumes.folder, 'xen');
  await mkdir(xen);
  await writeFile(join(xen, 'web-1.cfg'), 'name = "web-1"\n');
  await symlink('web-1.cfg', join(xen, 'auto.cfg'));
  places = {
    disks: [{ vdev: 'xvda', ...disk }],
    configPath: join(xen, 'web-1.cfg'),
    autostartPath: join(xen, 'auto.cfg'),
    savedImagePath: null,
    luns: [],
    asideFolder: join(xen, 'sealift/web-1'),
  };
});
afterEach(async () => {
  await rm(volumes.folder, { recursive: true });
});

/** A process that fences or unfences, and kills itself after a step. Returns whether it did. */
async function killed(act: Task['act'], dieAfter: number): Promise<boolean> {
  const task: Task = { act, places, mark, kind: 'immutable', dieAfter };
  const script = join(import.meta.dirname, 'fence-child.ts');
  const { failed, signal, stderr } = await execa(process.execPath, [script, JSON.stringify(task)], { reject: false });
  if (failed && signal !== 'SIGKILL') throw new Error(stderr);
  return failed;
}

async function beginning(path: string): Promise<string> {
  return (await readFile(path)).subarray(0, text.length).toString();
}

function lockedPath(): string {
  return join(dirname(disk.path), lockedName(disk.volume));
}

describe('the fence of a logical volume', () => {
  test('takes its name, so that it is found by its uuid only, and gives it back', async () => {
    await fence(places, mark, 'immutable');
    await proveFenced(places, mark, 'immutable');
    await expect(lstat(disk.path)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await placeNow(disk)).toBe(lockedPath());
    expect(await beginning(lockedPath())).toBe(text);
    expect(await readMark(disk)).toEqual(mark);
    await fence(places, { ...mark, token: 3 }, 'immutable');
    await proveFenced(places, { ...mark, token: 3 }, 'immutable');
    await expect(proveFenced(places, mark, 'immutable')).rejects.toMatchObject({ type: 'fence-failed' });
    await expect(unfence(places, mark)).rejects.toMatchObject({ type: 'unknown-state' });
    await unfence(places, { ...mark, token: 3 });
    expect(await beginning(disk.path)).toBe(text);
    expect(await readMark(disk)).toBeNull();
    await expect(proveFenced(places, mark, 'immutable')).rejects.toMatchObject({ type: 'fence-failed' });
  });

  test('killed at each step: the next call ends it, and an unfence undoes what there is', async () => {
    // the notes, the mark, the lock, two starters
    for (const step of [1, 2, 3, 4, 5]) {
      expect(await killed('fence', step)).toBe(true);
      if (step % 2 === 1) {
        await fence(places, mark, 'immutable');
        await proveFenced(places, mark, 'immutable');
        expect(await killed('unfence', step)).toBe(true);
      }
      await unfence(places, mark);
      expect(await beginning(disk.path)).toBe(text);
      expect(await readMark(disk)).toBeNull();
      expect(await readFile(join(volumes.folder, 'xen/auto.cfg'), 'utf8')).toContain('web-1');
    }
  }, 60_000);

  test('waits while the kernel has it open, as for a guest, and is not proven then', async () => {
    volumes.setOpen(1);
    await expect(fence(places, mark, 'immutable')).rejects.toMatchObject({ type: 'disk-busy' });
    expect(await readMark(disk)).toBeNull();
    expect(await beginning(disk.path)).toBe(text);
    volumes.setOpen(0);
    await fence(places, mark, 'immutable');
    volumes.setOpen(1);
    await expect(proveFenced(places, mark, 'immutable')).rejects.toMatchObject({ type: 'disk-busy' });
  });

  test('is not proven, and does not come off, while another volume has its name', async () => {
    await fence(places, mark, 'immutable');
    await volumes.make('web-1', 4 * 1024 * 1024);
    await expect(proveFenced(places, mark, 'immutable')).rejects.toMatchObject({ type: 'fence-failed' });
    await expect(unfence(places, mark)).rejects.toMatchObject({ type: 'unknown-state' });
    await expect(lstat(join(volumes.folder, 'xen/auto.cfg'))).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await beginning(lockedPath())).toBe(text);
  });

  test('is not proven while anything leads where its old name led', async () => {
    await fence(places, mark, 'immutable');
    await symlink(lockedPath(), disk.path);
    await expect(proveFenced(places, mark, 'immutable')).rejects.toMatchObject({ type: 'fence-failed' });
  });

  test('says so when its volume is gone, or was renamed by hand', async () => {
    await fence(places, mark, 'immutable');
    await execa('lvm', ['lvrename', 'vg0', lockedName(disk.volume), 'mine']);
    await expect(unfence(places, mark)).rejects.toMatchObject({
      type: 'unknown-state',
      hint: 'lvrename vg0 mine web-1',
    });
    await execa('lvm', ['lvremove', 'vg0/mine']);
    await expect(unfence(places, mark)).rejects.toMatchObject({ type: 'disk-missing' });
    await rename(join(volumes.folder, 'volumes.json'), join(volumes.folder, 'away.json'));
    await expect(unfence(places, mark)).rejects.toMatchObject({ type: 'lvm-failed' });
  });
});
