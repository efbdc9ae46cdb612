import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, test } from '@jest/globals';
import { expectMoved } from '../support/expect-moved.ts';
import { until } from '../support/until.ts';
import { useWorld } from '../support/use-world.ts';
import { impatient, MiB, migrate } from '../support/world.ts';

describe('a host whose database cannot be written any more', () => {
  const world = useWorld({ settings: impatient });

  /** From now on the kernel refuses the worker every write behind the first page of a file. */
  const refuseWrites = async (): Promise<void> => {
    await execa('prlimit', ['--pid', String(world.london.worker.pid), '--fsize=4096']);
  };

  const lastWords = async (): Promise<string> =>
    (await readFile(join(world.folder, 'logs', 'lon-1.log'), 'utf8')).slice(0, 4096);

  test('ends at the step that meets it', async () => {
    const vm = await world.makeVm('step', { adopt: false });
    await refuseWrites();
    const adopting = world.sealift.adopt({ vm: vm.name, host: 'lon-1', by: 'test' });
    const refused = expect(adopting).rejects.toMatchObject({ type: 'host-away' });
    await world.london.worker.ended;
    expect(await lastWords()).toContain('this process cannot go on and ends');
    await refused;
    await world.startWorker(world.london);
    await world.sealift.adopt({ vm: vm.name, host: 'lon-1', by: 'test' });
    await (await migrate(world, { vm: vm.name })).result();
    await expectMoved(world, vm);
  });

  test('ends in the middle of a transfer, which goes on with the next process', async () => {
    const vm = await world.makeVm('transfer', { diskBytes: [16 * MiB, 2 * MiB], noise: true });
    const move = await migrate(world, { vm: vm.name, limitBytesPerSecond: 2 * MiB });
    await until(move, (at) => at.verifiedBytes > 0);
    await refuseWrites();
    await world.london.worker.ended;
    await world.startWorker(world.london);
    await move.throttle(null);
    await move.result();
    await expectMoved(world, vm);
  });
});
