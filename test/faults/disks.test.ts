import { copyFile, open, mkdir, readFile, rm, statfs, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { canMount, needsRoot } from '../storage/support.ts';
import { expectMoved, expectUnmoved } from '../support/expect-moved.ts';
import { troubles, until, untilPhase } from '../support/until.ts';
import { changeHostFile, impatient, makeWorld, MiB, migrate } from '../support/world.ts';
import type { World } from '../support/world.ts';

const rootTest = canMount ? test : test.skip;

describe('disks that fail on the way', () => {
  let world: World;
  const mounted: string[] = [];
  beforeAll(async () => {
    world = await makeWorld({ settings: impatient });
  });
  afterAll(async () => {
    for (const folder of mounted) await execa('umount', ['--lazy', folder], { reject: false });
    await world.close();
  });

  /** A file system in a file of `bytes`, mounted until the end. */
  async function mountImage(name: string, bytes: number): Promise<{ folder: string; image: string }> {
    const folder = join(world.folder, name);
    const image = `${folder}.image`;
    await mkdir(folder, { mode: 0o700 });
    await execa('truncate', ['--size', String(bytes), image]);
    await execa('mke2fs', ['-q', '-F', '-t', 'ext4', '-b', '4096', '-m', '0', '-O', '^has_journal', image]);
    await execa('mount', ['-o', 'loop,noatime', image, folder]);
    mounted.push(folder);
    return { folder, image };
  }

  test.each([
    ['shrinks', 6 * MiB],
    ['grows', 9 * MiB],
  ] as const)('a disk that %s between survey and stop ends the move, with the VM as it was', async (name, bytes) => {
    const vm = await world.makeVm(name, { diskBytes: [8 * MiB, 2 * MiB], noise: true, start: false });
    const move = await migrate(world, { vm: vm.name, cutover: 'approve' });
    await untilPhase(move, 'waits');
    await truncate(vm.diskPaths[0] ?? '', bytes);
    await move.approve({ by: 'test' });
    await expect(move.result()).rejects.toMatchObject({ type: 'vm-changed' });
    const { vms } = await world.sealift.vms('lon-1');
    expect(vms.find(({ vmName }) => vmName === name)).toMatchObject({
      state: 'stopped',
      fenced: false,
      deed: { state: 'holder' },
    });
    await (await migrate(world, { vm: vm.name })).result();
    const { disks } = await world.sealift.inspect({ vm: vm.name, host: 'fra-1' });
    expect(disks.map(({ sizeBytes }) => sizeBytes)).toEqual([bytes, 2 * MiB]);
  });

  test('a disk of odd size is noted by the plan and crosses whole', async () => {
    const vm = await world.makeVm('odd', { diskBytes: [5 * MiB + 12_345, 2 * MiB], noise: true });
    const [first = ''] = vm.diskPaths;
    const before = await readFile(first);
    const plan = await world.sealift.plan({ vm: vm.name, to: 'fra-1' });
    expect(plan.concerns).toMatchObject([{ name: 'odd-size', severity: 'note' }]);
    await (await migrate(world, { vm: vm.name })).result();
    const { disks } = await world.sealift.inspect({ vm: vm.name, host: 'fra-1' });
    expect(before.equals(await readFile(disks[0]?.path ?? ''))).toBe(true);
    await expectMoved(world, vm);
  });

  rootTest(`a disk that cannot be read is reported, and goes on when it can ${needsRoot}`, async () => {
    const { folder, image } = await mountImage('failing', 20 * MiB);
    const vm = await world.makeVm('unreadable', { folder, diskBytes: [16 * MiB, 2 * MiB], noise: true });
    const move = await migrate(world, { vm: vm.name, cutover: 'approve' });
    await untilPhase(move, 'waits');
    await move.pause();
    await move.approve({ by: 'test' });
    await until(move, (at) => at.transfer?.paused === true);
    // What lies behind the end of a loop device's file cannot be read.
    await execa('sync', ['--file-system', folder]);
    await copyFile(image, `${image}.whole`);
    await truncate(image, 8 * MiB);
    await move.resume();
    await until(move, (at) => troubles(at).includes('failed to read'));
    await putBack(`${image}.whole`, image);
    await move.result();
    await expectMoved(world, vm);
  });

  rootTest(
    `a pool that is full in the middle is reported; the move can be aborted, or goes on ${needsRoot}`,
    async () => {
      const { folder } = await mountImage('small', 64 * MiB);
      const before = await changeHostFile(world, world.frankfurt, (file) => ({
        ...file,
        pool: [{ name: 'fast', kind: 'folder', path: folder }],
      }));
      const vm = await world.makeVm('full', { diskBytes: [24 * MiB, 2 * MiB], noise: true });
      const begin = async (): Promise<Awaited<ReturnType<typeof migrate>>> => {
        const move = await migrate(world, { vm: vm.name, cutover: 'approve' });
        await untilPhase(move, 'waits');
        await move.pause();
        await move.approve({ by: 'test' });
        await until(move, (at) => at.transfer?.paused === true);
        const { bavail, bsize } = await statfs(folder);
        await execa('fallocate', ['--length', String(bavail * bsize - 10 * MiB), join(folder, 'ballast')]);
        await move.resume();
        await until(move, (at) => troubles(at).includes('ENOSPC'));
        return move;
      };
      const first = await begin();
      await first.abort();
      await expect(first.result()).rejects.toMatchObject({ type: 'cancelled' });
      await expectUnmoved(world, vm);
      await rm(join(folder, 'ballast'));
      const second = await begin();
      await rm(join(folder, 'ballast'));
      await second.result();
      await expectMoved(world, vm);
      await changeHostFile(world, world.frankfurt, () => before);
    },
  );
});

/** Writes a file's bytes into another that is in use. */
async function putBack(from: string, to: string): Promise<void> {
  const [source, target] = [await open(from, 'r'), await open(to, 'r+')];
  const buffer = Buffer.alloc(MiB);
  for (let at = 0; ; at += MiB) {
    const { bytesRead } = await source.read(buffer, 0, MiB, at);
    if (bytesRead === 0) break;
    await target.write(buffer, 0, bytesRead, at);
  }
  await source.close();
  await target.close();
}
