import { open } from 'node:fs/promises';
import type { MoveHandle } from '../../client/index.ts';
import { troubles, until, untilPast } from './until.ts';
import { MiB, migrate } from './world.ts';
import type { TestVm, World } from './world.ts';

/** Disks that are held open, by their paths. */
const held = new Map<string, { close(): Promise<void> }>();

/** A move whose READY is signed, and whose source cannot cede while somebody holds its disk open. */
export async function heldBeforeCede(world: World, vm: TestVm): Promise<MoveHandle> {
  const move = await migrate(world, { vm: vm.name, limitBytesPerSecond: 3 * MiB });
  await until(move, (at) => at.verifiedBytes > 0);
  held.set(vm.dataPath, await open(vm.dataPath, 'r'));
  await until(move, (at) => troubles(at).includes('held open'));
  return move;
}

/** Lets a disk go, or all. */
export async function release(vm?: TestVm): Promise<void> {
  for (const [path, file] of [...held]) {
    if (vm !== undefined && path !== vm.dataPath) continue;
    held.delete(path);
    await file.close();
  }
}

/** A move whose deed is signed and in the workflow's history, and whose destination is away. */
export async function cededAndNotAccepted(world: World, vm: TestVm): Promise<MoveHandle> {
  const move = await heldBeforeCede(world, vm);
  await world.killWorker(world.frankfurt);
  await release();
  await untilPast(move, 'start');
  return move;
}
