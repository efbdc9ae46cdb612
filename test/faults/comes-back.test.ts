import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { MoveHandle } from '../../client/index.ts';
import { rebootLabHost } from '../../infra/lab/lab-host.ts';
import { expectMoved, expectUnmoved } from '../support/expect-moved.ts';
import { troubles, until, untilPhase } from '../support/until.ts';
import { impatient, makeWorld, migrate, xl } from '../support/world.ts';
import type { TestVm, World } from '../support/world.ts';

describe('a source that cannot be fenced after its VM was shut down', () => {
  let world: World;
  const held: FileHandle[] = [];
  beforeAll(async () => {
    world = await makeWorld({ settings: impatient });
  }, 120_000);
  afterAll(async () => {
    for (const handle of held) await handle.close();
    await world.close();
  }, 60_000);

  /** A move whose VM is down and whose fence fails, since a stranger has a disk open. */
  async function heldUp(name: string): Promise<{ vm: TestVm; move: MoveHandle; stranger: FileHandle }> {
    const vm = await world.makeVm(name);
    const stranger = await open(vm.diskPaths[0] ?? '', 'r');
    held.push(stranger);
    const move = await migrate(world, { vm: name });
    await until(move, (at) => troubles(at).includes('held open'));
    return { vm, move, stranger };
  }

  test('because a stranger has a disk open says so, can be aborted, and goes on by itself', async () => {
    const { vm, move, stranger } = await heldUp('held');
    const { status } = await untilPhase(move, 'waits');
    expect(status.waits.join('\n')).toMatch(/could not fence held .*\[disk-busy\]/);
    expect(status.waits.join('\n')).toContain('sealift abort held');
    expect(await move.abort()).toEqual({ outcome: 'aborted', restarted: true });
    await expectUnmoved(world, vm);
    const again = await migrate(world, { vm: vm.name });
    await untilPhase(again, 'waits');
    await stranger.close();
    held.length = 0;
    await again.result();
    await expectMoved(world, vm);
  });

  test('because its host lost power and booted it again shuts it down once more', async () => {
    const { vm, move, stranger } = await heldUp('rebooted');
    await world.killWorker(world.london);
    await rebootLabHost(world.london.host.lab.root);
    expect((await xl(world.london, 'list')).stdout).toContain(vm.name);
    await stranger.close();
    held.length = 0;
    await world.startWorker(world.london);
    await move.result();
    await expectMoved(world, vm);
  });
});
