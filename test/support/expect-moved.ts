import { expect } from '@jest/globals';
import { verdict, xl } from './world.ts';
import type { TestVm, World } from './world.ts';

/** The VM runs at Frankfurt and nowhere else, never ran twice, and no record of its guest is lost. */
export async function expectMoved(world: World, vm: TestVm): Promise<void> {
  expect((await xl(world.frankfurt, 'list')).stdout).toContain(vm.name);
  expect((await xl(world.london, 'list')).stdout).not.toContain(vm.name);
  expect(await verdict(world, vm, world.frankfurt)).toEqual([]);
}

/** The same for a VM that stayed, or came back, at London. */
export async function expectUnmoved(world: World, vm: TestVm): Promise<void> {
  expect((await xl(world.london, 'list')).stdout).toContain(vm.name);
  expect((await xl(world.frankfurt, 'list')).stdout).not.toContain(vm.name);
  expect(await verdict(world, vm, world.london)).toEqual([]);
}
