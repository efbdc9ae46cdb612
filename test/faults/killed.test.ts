import { afterAll, beforeAll, describe, test } from '@jest/globals';
import { expectMoved } from '../support/expect-moved.ts';
import { impatient, makeWorld, MiB, migrate, until } from '../support/world.ts';
import type { World } from '../support/world.ts';

const slow = { limitBytesPerSecond: 3 * MiB };
const noisy = { diskBytes: [16 * MiB, 2 * MiB], noise: true };

describe('a worker killed on the way', () => {
  let world: World;
  beforeAll(async () => {
    world = await makeWorld({ settings: impatient });
  });
  afterAll(async () => {
    await world.close();
  });

  test.each(['stop', 'fence', 'move', 'cede'] as const)('the source worker is killed in phase %s', async (phase) => {
    const vm = await world.makeVm(`src-${phase}`, noisy);
    const move = await migrate(world, { vm: vm.name, ...slow });
    await until(move, (at) => at.phase === phase && (phase !== 'move' || at.verifiedBytes > 0));
    await world.killWorker(world.london);
    await world.startWorker(world.london);
    await move.result();
    await expectMoved(world, vm);
  });

  test.each(['move', 'ready', 'start', 'probe'] as const)(
    'the destination worker is killed in phase %s',
    async (phase) => {
      const vm = await world.makeVm(`dst-${phase}`, noisy);
      const move = await migrate(world, { vm: vm.name, ...slow });
      await until(move, (at) => at.phase === phase && (phase !== 'move' || at.verifiedBytes > 0));
      await world.killWorker(world.frankfurt);
      await world.startWorker(world.frankfurt);
      await move.result();
      await expectMoved(world, vm);
    },
  );
});
