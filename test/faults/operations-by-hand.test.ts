import { afterEach, describe, expect, test } from '@jest/globals';
import { powerOn } from '../../infra/stand-in-host.ts';
import { comeBack, die, makeOperatedWorld, states } from '../support/dead-hosts.ts';
import { expectMoved, expectUnmoved } from '../support/expect-moved.ts';
import { cededAndNotAccepted, heldBeforeCede, release } from '../support/held-moves.ts';
import { take, walkOf } from '../support/walk.ts';
import { MiB } from '../support/world.ts';
import type { TestVm, World } from '../support/world.ts';

describe('the walks of docs/operations.md that hosts go by themselves, without Temporal', () => {
  let world: World;
  afterEach(async () => {
    await release();
    await world.close();
  });

  const walk = (vm: TestVm, heading: string, block = 0) => take(world, walkOf(world, heading, block), vm.name);

  test('the override: who was claimed against heeds, and is given the VM back', async () => {
    world = await makeOperatedWorld();
    const vm = await world.makeVm('heeds', { diskBytes: [8 * MiB, MiB], noise: true });
    await heldBeforeCede(world, vm);
    await die(world, world.london);
    await release();
    const [, claim] = await walk(vm, 'Source dead before the cede', 1);
    expect(claim).toMatchObject({ exitCode: 0 });
    // Without its worker, which would heed by itself.
    await powerOn(world.london.host);
    const heeded = await walk(vm, 'The override: `deed claim`');
    expect(heeded.at(-1)).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('is given up by lon-1') });
    await world.startWorker(world.london);
    expect(await states(world, vm)).toEqual(['fra-1 holder', 'lon-1 ceded']);
    const back = await walk(vm, 'The override: `deed claim`', 1);
    expect(back.map(({ exitCode, stderr }) => [exitCode, stderr])).toEqual(back.map(() => [0, '']));
    for (const at of [world.london, world.frankfurt]) await world.startWorker(at);
    expect(await states(world, vm)).toEqual(['fra-1 none', 'lon-1 holder']);
    await expectUnmoved(world, vm);
  });

  test('source dead after the cede (b): what its state folder holds is carried over', async () => {
    world = await makeOperatedWorld();
    const vm = await world.makeVm('mounted', { diskBytes: [8 * MiB, MiB], noise: true });
    await cededAndNotAccepted(world, vm);
    await die(world, world.london);
    await world.stopControl();
    const said = await walk(vm, 'Source dead after the cede');
    expect(said.map(({ exitCode, stderr }) => [exitCode, stderr])).toEqual(said.map(() => [0, '']));
    await world.startControl();
    await world.startWorker(world.frankfurt);
    await comeBack(world, world.london);
    expect(await states(world, vm)).toEqual(['fra-1 holder', 'lon-1 ceded']);
    await expectMoved(world, vm);
  });
});
