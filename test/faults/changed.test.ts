import { open, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { MoveHandle } from '../../client/index.ts';
import { addLabVm } from '../../infra/lab/lab-host.ts';
import { expectMoved, expectUnmoved } from '../support/expect-moved.ts';
import { troubles, until, untilPhase } from '../support/until.ts';
import { useWorld } from '../support/use-world.ts';
import { impatient, MiB, migrate, xl } from '../support/world.ts';
import type { TestVm } from '../support/world.ts';

describe('a VM that is changed while its move waits at the gate', () => {
  const world = useWorld({ settings: impatient });

  async function atGate(name: string): Promise<{ vm: TestVm; move: MoveHandle; domid: string }> {
    const vm = await world.makeVm(name, { diskBytes: [2 * MiB, 2 * MiB] });
    const move = await migrate(world, { vm: name, cutover: 'approve' });
    await untilPhase(move, 'waits');
    return { vm, move, domid: await domidOf(name) };
  }

  async function domidOf(name: string): Promise<string> {
    const { stdout } = await xl(world.london, 'list');
    return new RegExp(`^${name} +(\\d+)`, 'm').exec(stdout)?.[1] ?? 'none';
  }

  const configOf = (name: string): string => join(world.london.host.lab.etcFolder, `${name}.cfg`);

  /** It was refused for that, and its guest was never told to shut down. */
  async function expectRefused(at: { vm: TestVm; move: MoveHandle; domid: string }, why: object): Promise<void> {
    await at.move.approve({ by: 'test' });
    await expect(at.move.result()).rejects.toMatchObject(why);
    expect(await domidOf(at.vm.name)).toBe(at.domid);
    await expectUnmoved(world, at.vm);
  }

  async function expectSizes(vm: TestVm, sizes: number[]): Promise<void> {
    const { body } = await (await migrate(world, { vm: vm.name })).result();
    expect(body.disks.map(({ sizeBytes }) => sizeBytes)).toEqual(sizes);
    await expectMoved(world, vm);
  }

  test('by a disk that grows', async () => {
    const at = await atGate('grown');
    await truncate(at.vm.diskPaths[0] ?? '', 3 * MiB);
    await expectRefused(at, { type: 'vm-changed', message: expect.stringContaining('disk xvda') });
    await expectSizes(at.vm, [3 * MiB, 2 * MiB]);
  });

  test('by a third disk, with which it was started again', async () => {
    const at = await atGate('added');
    const third = join(world.london.host.poolPath, 'added-2.raw');
    await writeFile(third, Buffer.alloc(MiB), { mode: 0o600 });
    const config = await readFile(configOf('added'), 'utf8');
    await writeFile(configOf('added'), config.replace(',raw,xvdb,w"', `,raw,xvdb,w", "${third},raw,xvdc,w"`));
    await xl(world.london, 'destroy', 'added');
    await xl(world.london, 'create', configOf('added'));
    await expectRefused(
      { ...at, domid: await domidOf('added') },
      { type: 'vm-changed', message: expect.stringContaining('disk xvdc was added') },
    );
    const { body } = await (await migrate(world, { vm: 'added' })).result();
    expect(body.disks.map(({ vdev }) => vdev)).toEqual(['xvda', 'xvdb', 'xvdc']);
  });

  test('by its configuration or its autostart', async () => {
    const configured = await atGate('configured');
    const config = await readFile(configOf('configured'), 'utf8');
    await writeFile(configOf('configured'), config.replace('vcpus = 1', 'vcpus = 2'));
    await expectRefused(configured, { type: 'vm-changed', message: expect.stringContaining('its configuration') });
    const autostart = await atGate('autostart');
    await rm(join(world.london.host.lab.autoFolder, basename(configOf('autostart'))));
    await expectRefused(autostart, { type: 'vm-changed', message: expect.stringContaining('autostart is off') });
  });

  test('between stop and fence: it runs again as it is now', async () => {
    const vm = await world.makeVm('late', { diskBytes: [2 * MiB, 2 * MiB] });
    const holder = await open(vm.diskPaths[0] ?? '', 'r');
    const move = await migrate(world, { vm: 'late' });
    await until(move, (at) => troubles(at).includes('held open'));
    await truncate(vm.diskPaths[0] ?? '', 3 * MiB);
    await holder.close();
    await expect(move.result()).rejects.toMatchObject({ type: 'vm-changed' });
    await expectUnmoved(world, vm);
    await expectSizes(vm, [3 * MiB, 2 * MiB]);
  });

  test('or whose name is taken meanwhile at the destination', async () => {
    const at = await atGate('taken');
    await addLabVm(world.frankfurt.host.lab, { name: 'taken', memoryMib: 32, disks: [] });
    await expectRefused(at, { type: 'name-taken' });
  });
});
