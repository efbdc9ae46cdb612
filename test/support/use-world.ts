import { afterAll, beforeAll } from '@jest/globals';
import { makeWorld } from './world.ts';
import type { World } from './world.ts';

/** A world for the tests of a file or a `describe`: made before the first of them and closed after the last. Empty until then. */
export function useWorld(options?: Parameters<typeof makeWorld>[0]): World {
  const world = {} as World;
  beforeAll(async () => {
    Object.assign(world, await makeWorld(options));
  }, 120_000);
  afterAll(async () => {
    // None was made when `makeWorld` failed, which is what is told then.
    await (world as Partial<World>).close?.();
  }, 60_000);
  return world;
}
