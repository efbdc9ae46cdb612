import { describe, test } from '@jest/globals';
import type { MoveHandle, MoveProgress } from '../../client/index.ts';
import type { Phase } from '../../domain/progress.ts';
import { expectMoved } from '../support/expect-moved.ts';
import { until, untilPast } from '../support/until.ts';
import { useWorld } from '../support/use-world.ts';
import { impatient, MiB, migrate } from '../support/world.ts';

const slow = { limitBytesPerSecond: 3 * MiB };
const noisy = { diskBytes: [16 * MiB, 2 * MiB], noise: true };

/** In the middle of a long phase, or right behind a short one that was over between two looks. */
const untilIn = (move: MoveHandle, phase: Phase): Promise<MoveProgress> =>
  phase === 'move' ? until(move, (at) => at.verifiedBytes > 0) : untilPast(move, phase);

describe('a worker killed on the way', () => {
  const world = useWorld({ settings: impatient });

  test.each(['stop', 'fence', 'move', 'cede'] as const)('the source worker is killed in phase %s', async (phase) => {
    const vm = await world.makeVm(`src-${phase}`, noisy);
    const move = await migrate(world, { vm: vm.name, ...slow });
    await untilIn(move, phase);
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
      await untilIn(move, phase);
      await world.killWorker(world.frankfurt);
      await world.startWorker(world.frankfurt);
      await move.result();
      await expectMoved(world, vm);
    },
  );
});
