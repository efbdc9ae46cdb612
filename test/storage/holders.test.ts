import { chmod, copyFile, link, readFile, rename, truncate, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { dom0 } from '../../dom0/dom0.ts';
import { alignedBuffer } from '../../storage/aligned.ts';
import { openDisk } from '../../storage/disk.ts';
import { holdersOf } from '../../storage/holders.ts';
import { atEnd, attachLoop, canMount, linesOf, makeFolder, mountAt, needsRoot, startProgram } from './support.ts';

const rootTest = canMount ? test : test.skip;

async function makeDisk(folder = makeFolder()): Promise<string> {
  const path = join(folder, 'disk.raw');
  await writeFile(path, Buffer.alloc(1 << 20));
  return path;
}

describe('the holders of a disk', () => {
  test('are every process that has it open, by whatever name, until it is dead', async () => {
    const path = await makeDisk();
    expect(await holdersOf(path)).toEqual([]);
    await link(path, `${path}.second`);
    const holder = startProgram('hold-open.ts', `${path}.second`);
    await linesOf(holder.stdout).next();
    const command = (await readFile(`/proc/${String(holder.pid)}/comm`, 'utf8')).trim();
    expect(await holdersOf(path)).toEqual([{ pid: holder.pid, command }]);
    await rename(path, `${path}.moved`);
    expect(await holdersOf(`${path}.moved`)).toHaveLength(1);
    holder.kill('SIGKILL');
    await holder;
    expect(await holdersOf(`${path}.moved`)).toEqual([]);
  });

  test('are processes that have mapped it and closed their descriptor', async () => {
    const path = join(makeFolder(), 'disk.raw');
    await copyFile('/bin/sleep', path);
    await chmod(path, 0o755);
    // What a process runs is mapped, not open.
    const sleeper = execa(path, ['60'], { argv0: 'sleep', reject: false });
    atEnd(() => sleeper.kill('SIGKILL'));
    expect(await holdersOf(path)).toEqual([{ pid: sleeper.pid, command: 'disk.raw' }]);
    sleeper.kill('SIGKILL');
    await sleeper;
    expect(await holdersOf(path)).toEqual([]);
  });

  test('are this process too, where it can write', async () => {
    const path = await makeDisk();
    const reader = await openDisk(path, 'read');
    atEnd(() => reader.close());
    await reader.read(alignedBuffer(4096), 0, 4096);
    expect(await holdersOf(path)).toEqual([]);
    const writer = await openDisk(path, 'write');
    // Over SSH nothing is open between two steps.
    const own = dom0().remote !== null ? [] : [expect.objectContaining({ pid: process.pid })];
    expect(await holdersOf(path)).toEqual(own);
    await writer.close();
    expect(await holdersOf(path)).toEqual([]);
  });

  test('cannot be told of a disk that is missing', async () => {
    await expect(holdersOf(join(makeFolder(), 'gone.raw'))).rejects.toMatchObject({ type: 'disk-missing' });
  });

  rootTest(`are loop devices on a file, and what is set up on a device ${needsRoot}`, async () => {
    const path = await makeDisk();
    await truncate(path, 4 << 20);
    const device = await attachLoop(path);
    expect(await holdersOf(path)).toEqual([{ pid: 0, command: basename(device) }]);
    await rename(path, `${path}.moved`);
    expect(await holdersOf(`${path}.moved`)).toEqual([{ pid: 0, command: basename(device) }]);
    await link(`${path}.moved`, path);
    expect(await holdersOf(path)).toEqual([{ pid: 0, command: basename(device) }]);
    expect(await holdersOf(device)).toEqual([]);
    const second = await attachLoop(device);
    expect(await holdersOf(device)).toEqual([{ pid: 0, command: basename(second) }]);
    await execa('losetup', ['--detach', second]);
    const holder = startProgram('hold-open.ts', device);
    await linesOf(holder.stdout).next();
    expect(await holdersOf(device)).toEqual([expect.objectContaining({ pid: holder.pid })]);
    holder.kill('SIGKILL');
    await holder;
    await execa('mke2fs', ['-q', '-F', device]);
    const folder = await mountAt(device);
    expect(await holdersOf(device)).toEqual([{ pid: 0, command: `mount ${folder}` }]);
  });
});
