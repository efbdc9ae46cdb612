import { describe, expect, test } from '@jest/globals';
import { expectMoved } from '../support/expect-moved.ts';
import { until, untilPhase } from '../support/until.ts';
import { useWorld } from '../support/use-world.ts';
import { changeHostFile, MiB, migrate, xl } from '../support/world.ts';
import type { TestHost } from '../support/world.ts';

describe('a host that allows one move at once', () => {
  const world = useWorld();

  test.each(['source', 'destination'] as const)(
    'lets the next one wait with its VM running, at the %s',
    async (side) => {
      const at: TestHost = side === 'source' ? world.london : world.frankfurt;
      const before = await changeHostFile(world, at, (file) => ({ ...file, limits: { ...file.limits, moves: 1 } }));
      const vms = await Promise.all(
        ['first', 'second'].map((name) => world.makeVm(`${side}-${name}`, { diskBytes: [4 * MiB, MiB], noise: true })),
      );
      const [first, second] = vms;
      if (first === undefined || second === undefined) throw new Error('two VMs were made');
      const one = await migrate(world, { vm: first.name, cutover: 'approve' });
      await untilPhase(one, 'waits');
      await one.pause();
      await one.approve({ by: 'test' });
      await until(one, (look) => look.transfer?.paused === true);
      const two = await migrate(world, { vm: second.name });
      const { status } = await until(two, (look) => look.status.waits.length > 0);
      expect(status.waits.join('\n')).toMatch(new RegExp(`${at.host.name} moves ${first.name} .*host-busy`));
      expect(status.waits.join('\n')).toContain('sealift gc');
      expect(status.waits.join('\n')).toContain(`sealift abort ${second.name}`);
      expect((await xl(world.london, 'list')).stdout).toContain(second.name);
      await one.resume();
      await one.result();
      await two.result();
      for (const vm of vms) await expectMoved(world, vm);
      await changeHostFile(world, at, () => before);
    },
  );
});
