import { access, mkdtemp, readdir, rm, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { rebootLabHost } from '../../infra/lab/lab-host.ts';
import { expectMoved, expectUnmoved } from '../support/expect-moved.ts';
import { untilPhase } from '../support/until.ts';
import { useWorld } from '../support/use-world.ts';
import { migrate, quick, xl } from '../support/world.ts';
import type { TestHost } from '../support/world.ts';

describe('a saved image of the VM, which xendomains would restore at boot', () => {
  const world = useWorld();

  const imagePath = (at: TestHost, vm: string): string => join(at.host.lab.saveFolder, vm);
  const refusals = async (vm: string): Promise<string[]> => {
    const plan = await world.sealift.plan({ vm, from: 'lon-1', to: 'fra-1' });
    return plan.concerns.filter(({ severity }) => severity === 'refuses').map(({ name }) => name);
  };

  test('at the source refuses the move', async () => {
    const vm = await world.makeVm('saved');
    expect((await xl(world.london, 'save', '-c', vm.name, imagePath(world.london, vm.name))).exitCode).toBe(0);
    expect(await refusals(vm.name)).toEqual(['saved-image']);
    await expect((await migrate(world, { vm: vm.name })).result()).rejects.toMatchObject({ type: 'preflight-refused' });
    await expectUnmoved(world, vm);
    await rm(imagePath(world.london, vm.name));
    expect(await refusals(vm.name)).toEqual([]);
  });

  test('made at the source when the move is under way is moved aside by the fence', async () => {
    const vm = await world.makeVm('late');
    const move = await migrate(world, { vm: vm.name, cutover: 'approve' });
    await untilPhase(move, 'waits');
    expect((await xl(world.london, 'save', '-c', vm.name, imagePath(world.london, vm.name))).exitCode).toBe(0);
    await move.approve({ by: 'test' });
    await move.result();
    await expect(access(imagePath(world.london, vm.name))).rejects.toMatchObject({ code: 'ENOENT' });
    const boot = await rebootLabHost(world.london.host.lab.root);
    expect(boot.started.filter((file) => file.includes(vm.name))).toEqual([]);
    await expectMoved(world, vm);
  });

  test('and on another file system than Xen’s configuration is fenced, comes back by a revert, and goes by gc', async () => {
    const elsewhere = await mkdtemp('/dev/shm/sealift-save-');
    const { saveFolder, etcFolder } = world.london.host.lab;
    try {
      expect((await stat(elsewhere)).dev).not.toBe((await stat(etcFolder)).dev);
      await rm(saveFolder, { recursive: true });
      await symlink(elsewhere, saveFolder);
      const vm = await world.makeVm('far');
      const image = imagePath(world.london, vm.name);
      const moveAway = async (): Promise<void> => {
        const move = await migrate(world, { vm: vm.name, cutover: 'approve' });
        await untilPhase(move, 'waits');
        expect((await xl(world.london, 'save', '-c', vm.name, image)).exitCode).toBe(0);
        await move.approve({ by: 'test' });
        await move.result();
        await expect(access(image)).rejects.toMatchObject({ code: 'ENOENT' });
        const boot = await rebootLabHost(world.london.host.lab.root);
        expect(boot.started.filter((file) => file.includes(vm.name))).toEqual([]);
        await expectMoved(world, vm);
      };
      await moveAway();
      await (await world.sealift.revert({ vm: vm.name, confirm: vm.name, timings: quick })).result();
      await access(image);
      await rm(image);
      await moveAway();
      await (await world.sealift.finish({ vm: vm.name, by: 'test' })).result();
      const items = (await world.sealift.garbage('lon-1')).filter(({ vmName }) => vmName === vm.name);
      await world.sealift.removeGarbage({ host: 'lon-1', ids: items.map(({ id }) => id), by: 'test' });
      expect(await readdir(elsewhere, { recursive: true })).toEqual([]);
    } finally {
      await rm(elsewhere, { recursive: true });
    }
  });

  test('at the destination refuses the move by name', async () => {
    const vm = await world.makeVm('elsewhere');
    const image = imagePath(world.frankfurt, vm.name);
    await world.makeVm(vm.name, { on: world.frankfurt, adopt: false });
    expect((await xl(world.frankfurt, 'save', vm.name, image)).exitCode).toBe(0);
    for (const folder of [world.frankfurt.host.lab.etcFolder, world.frankfurt.host.lab.autoFolder])
      await rm(join(folder, `${vm.name}.cfg`));
    expect(await refusals(vm.name)).toEqual(['name-taken']);
    const refused = (await migrate(world, { vm: vm.name })).result();
    await expect(refused).rejects.toMatchObject({
      type: 'name-taken',
      message: expect.stringContaining('saved image'),
    });
    await expectUnmoved(world, vm);
  });
});
