import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { expectMoved, expectUnmoved } from '../support/expect-moved.ts';
import { until } from '../support/until.ts';
import { useWorld } from '../support/use-world.ts';
import { migrate } from '../support/world.ts';

describe('gc', () => {
  const world = useWorld();

  test('frees the landing of a move that was aborted while its destination was away', async () => {
    const vm = await world.makeVm('left-behind', { noise: true, diskBytes: [16 * 2 ** 20, 2 ** 21] });
    const move = await migrate(world, { vm: vm.name, limitBytesPerSecond: 2 ** 20 });
    await until(move, (at) => (at.transfer?.disks[0]?.verifiedBytes ?? 0) > 0);
    expect(await landingsOf(vm.name)).toEqual([]);
    await world.killWorker(world.frankfurt);
    await move.abort();
    await expect(move.result()).rejects.toMatchObject({ type: 'cancelled' });
    await expectUnmoved(world, vm);
    await world.startWorker(world.frankfurt);
    const found = await landingsOf(vm.name);
    expect(found).toHaveLength(1);
    expect(await world.sealift.removeGarbage({ host: 'fra-1', ids: found, by: 'test' })).toMatchObject({ refused: [] });
    expect(await landingsOf(vm.name)).toEqual([]);
  }, 120_000);

  // Found by the soak: an empty folder stayed for every arrival.
  test('leaves no folder where a VM had landed and went on from', async () => {
    const vm = await world.makeVm('went-on');
    await (await migrate(world, { vm: vm.name })).result();
    await (await world.sealift.finish({ vm: vm.name, by: 'test' })).result();
    await (await migrate(world, { vm: vm.name, from: 'fra-1', to: 'lon-1' })).result();
    await (await world.sealift.finish({ vm: vm.name, by: 'test' })).result();
    const ids = (await world.sealift.garbage('fra-1')).filter(({ vmName }) => vmName === vm.name).map(({ id }) => id);
    const { removed } = await world.sealift.removeGarbage({ host: 'fra-1', ids, by: 'test' });
    expect(removed).toMatchObject([{ kind: 'released-copy' }]);
    const left = await readdir(world.frankfurt.host.poolPath, { recursive: true });
    expect(left.filter((name) => name.startsWith(vm.name))).toEqual([]);
  }, 120_000);

  test('never takes a file that somebody else has put where a released copy lay', async () => {
    const vm = await world.makeVm('replaced');
    await (await migrate(world, { vm: vm.name })).result();
    const { released } = await (await world.sealift.finish({ vm: vm.name, by: 'test' })).result();
    const [first = '', second = ''] = vm.diskPaths;
    for (const path of [first, second]) await execa('chattr', ['-i', path], { reject: false });
    await rm(first);
    await rm(`${first}.sealift`);
    await writeFile(first, 'a stranger');
    expect(await world.sealift.removeGarbage({ host: 'lon-1', ids: released, by: 'test' })).toMatchObject({
      removed: [{ kind: 'released-copy' }],
    });
    expect(await readFile(first, 'utf8')).toBe('a stranger');
    await expect(readFile(second)).rejects.toMatchObject({ code: 'ENOENT' });
    await expectMoved(world, vm);
  }, 120_000);

  test('a revert is refused once finish was given, with the VM left running', async () => {
    const vm = await world.makeVm('finished');
    await (await migrate(world, { vm: vm.name })).result();
    await (await world.sealift.finish({ vm: vm.name, by: 'test' })).result();
    const revert = await world.sealift.revert({ vm: vm.name, confirm: vm.name });
    await expect(revert.result()).rejects.toMatchObject({ type: 'revert-refused' });
    await expectMoved(world, vm);
  }, 120_000);

  async function landingsOf(vm: string): Promise<string[]> {
    const items = await world.sealift.garbage('fra-1');
    return items.filter(({ kind, vmName }) => kind === 'abandoned-landing' && vmName === vm).map(({ id }) => id);
  }
});
