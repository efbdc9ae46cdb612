import { describe, expect, test } from '@jest/globals';
import type { Phase } from '../../domain/progress.ts';
import { expectMoved, expectUnmoved } from '../support/expect-moved.ts';
import { untilPast } from '../support/until.ts';
import { useWorld } from '../support/use-world.ts';
import { migrate, quick } from '../support/world.ts';
import type { TestHost } from '../support/world.ts';

describe('a way back on which a worker is killed', () => {
  const world = useWorld();

  const kill = async (at: TestHost): Promise<void> => {
    await world.killWorker(at);
    await world.startWorker(at);
  };

  test.each([
    ['the host that gives back', 'fence', 'frankfurt'],
    ['the host that takes back', 'start', 'london'],
  ] as const)('revert ends well: %s, in phase %s', async (_, phase: Phase, side) => {
    const vm = await world.makeVm(`revert-${side}`);
    await (await migrate(world, { vm: vm.name })).result();
    const reverting = await world.sealift.revert({ vm: vm.name, confirm: vm.name, timings: quick });
    await untilPast(reverting, phase);
    await kill(world[side]);
    expect(await reverting.result()).toMatchObject({ host: 'lon-1', started: true });
    await expectUnmoved(world, vm);
  });

  test('finish ends well, with both killed as it begins', async () => {
    const vm = await world.makeVm('finish');
    await (await migrate(world, { vm: vm.name })).result();
    const finishing = await world.sealift.finish({ vm: vm.name, by: 'test' });
    await kill(world.london);
    await kill(world.frankfurt);
    const { released } = await finishing.result();
    expect((await world.sealift.garbage('lon-1')).map(({ id }) => id)).toEqual(expect.arrayContaining(released));
    await expectMoved(world, vm);
    await expect(world.sealift.planRevert(vm.name)).rejects.toMatchObject({ type: 'revert-refused' });
  });
});
