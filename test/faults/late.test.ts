import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from '@temporalio/client';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { openConnection, temporalSettings } from '../../client/connect.ts';
import { toSealiftError } from '../../client/errors.ts';
import { hostTaskQueue } from '../../domain/migration.ts';
import { clearFaults, setFault } from '../../infra/lab/lab-host.ts';
import { expectMoved, expectUnmoved } from '../support/expect-moved.ts';
import { until } from '../support/until.ts';
import { useWorld } from '../support/use-world.ts';
import { changeHostFile, migrate, quick, xl } from '../support/world.ts';
import type { TestVm } from '../support/world.ts';

describe('what was ordered earlier, and takes effect late', () => {
  const world = useWorld();
  beforeAll(async () => {
    const command = join(world.folder, 'xl-that-tells');
    await writeFile(command, tellingXl(log()), { mode: 0o700 });
    await changeHostFile(world, world.london, (file) => ({
      ...file,
      xen: { ...file.xen, xl: command, limit_seconds: 5 },
    }));
  }, 120_000);
  beforeEach(() => rm(log(), { force: true }));
  afterEach(() => {
    clearFaults(world.london.host.lab.root);
  });

  const log = (): string => join(world.folder, 'told');

  /** A step of an older order, as a control plane may give it that has slept. */
  const step = async (host: string, name: string, ask: Record<string, unknown>): Promise<unknown> => {
    const address = world.up.server.address;
    const connection = await openConnection(temporalSettings({ address }));
    try {
      return await new Client({ connection }).activity.execute(name, {
        id: `late/${name}`,
        taskQueue: hostTaskQueue(host),
        args: [ask],
        scheduleToCloseTimeout: 60_000,
        retry: { maximumAttempts: 1 },
      });
    } catch (error) {
      throw toSealiftError(error, { address });
    } finally {
      await connection.close();
    }
  };

  test('a start of a move that was reverted changes nothing at the host that has the VM by a later one', async () => {
    const vm = await world.makeVm('twice');
    const first = (await (await migrate(world, { vm: vm.name })).result()).body.migrationId;
    await (await world.sealift.revert({ vm: vm.name, confirm: vm.name, timings: quick })).result();
    const second = await (await migrate(world, { vm: vm.name })).result();
    await expect(step('fra-1', 'startVm', { migrationId: first, start: true })).rejects.toMatchObject({
      type: 'run-closed',
    });
    await expectMoved(world, vm);
    await expect(
      step('fra-1', 'startVm', { migrationId: second.body.migrationId, start: true }),
    ).resolves.toMatchObject({ started: true });
    await expectMoved(world, vm);
  });

  test('a guest that goes down when the move is aborted is started again, and not found running', async () => {
    const vm = await world.makeVm('slow');
    const before = await domid(vm);
    setFault(world.london.host.lab.root, { slowShutdownMs: 6_000, vm: vm.name });
    const move = await migrate(world, { vm: vm.name });
    await until(move, () => existsSync(log()));
    expect(await move.abort()).toEqual({ outcome: 'aborted', restarted: true });
    await expect(move.result()).rejects.toMatchObject({ type: 'cancelled' });
    expect(await domid(vm)).toBeGreaterThan(before);
    await expectUnmoved(world, vm);
  });

  test('a child of a hung xl that outlives it is waited for', async () => {
    const vm = await world.makeVm('child');
    await writeFile(`${log()}.hang`, '');
    await (await migrate(world, { vm: vm.name })).result();
    await expectMoved(world, vm);
    expect((await readFile(log(), 'utf8')).trimEnd().split('\n')).toEqual(['child ended', 'shutdown ended']);
  });

  async function domid(vm: TestVm): Promise<number> {
    return Number((await xl(world.london, 'domid', vm.name)).stdout);
  }
});

/** An `xl` that tells in a file what it has done; while `FILE.hang` is there, its shutdown hangs and leaves a child in a session of its own. */
function tellingXl(file: string): string {
  return `#!/bin/sh
if [ "$1" = shutdown ] && rm '${file}.hang' 2>/dev/null; then
  setsid sh -c "sleep 14; echo child ended >>'${file}'" &
  sleep 600
fi
xl "$@"
code=$?
[ "$1" = shutdown ] && echo shutdown ended >>'${file}'
exit $code
`;
}
