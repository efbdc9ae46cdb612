import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { expectMoved } from '../support/expect-moved.ts';
import { until } from '../support/until.ts';
import { useWorld } from '../support/use-world.ts';
import { impatient, MiB, migrate } from '../support/world.ts';

describe('workers told to stop in the middle of a move', () => {
  const world = useWorld({ settings: impatient });

  test('hand over and go on when they are back: source, destination and control', async () => {
    const vm = await world.makeVm('stopped', { diskBytes: [40 * MiB, 2 * MiB], noise: true });
    const move = await migrate(world, { vm: vm.name, limitBytesPerSecond: MiB });
    let at = await until(move, ({ verifiedBytes }) => verifiedBytes > 0);
    const goneOn = async (): Promise<void> => {
      const before = at.verifiedBytes;
      at = await until(move, ({ verifiedBytes }) => verifiedBytes > before);
    };
    for (const host of [world.london, world.frankfurt]) {
      await host.worker.stop();
      expect(await lastLine(`${host.host.name}.log`)).toMatchObject({ msg: 'stopped' });
      await world.startWorker(host);
      await goneOn();
    }
    // The hosts go on without the control worker: paused, they are not done before it is back.
    await move.pause();
    await world.stopControl();
    await world.startControl();
    await move.resume();
    await move.throttle(null);
    const receipt = await move.result();
    // Each start sends again at most what was in flight.
    expect(receipt.body.wireBytes).toBeLessThan(2 * 42 * MiB);
    await expectMoved(world, vm);
  });

  async function lastLine(log: string): Promise<unknown> {
    const text = await readFile(join(world.folder, 'logs', log), 'utf8');
    return JSON.parse(text.trimEnd().split('\n').at(-1) ?? '');
  }
});
