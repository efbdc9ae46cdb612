import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '@temporalio/client';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { openConnection, temporalSettings } from '../../client/connect.ts';
import { toSealiftError } from '../../client/errors.ts';
import { hostTaskQueue } from '../../domain/migration.ts';
import { clearFaults, setFault } from '../../infra/lab/lab-host.ts';
import { readHostRecords } from '../matrix/judge/host-records.ts';
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
    // The order of the first move is obeyed: what the guest does now is its own affair.
    expect(isWatched(vm)).toBe(false);
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

  test('a guest that goes down only after the abort is started again, also by a worker that was away', async () => {
    const vm = await world.makeVm('later');
    for (const away of [false, true]) {
      const before = await domid(vm);
      setFault(world.london.host.lab.root, { slowShutdownMs: 8_000, vm: vm.name });
      const move = await migrate(world, { vm: vm.name, graceMs: 300, onStuckGuest: 'abort' });
      await expect(move.result()).rejects.toMatchObject({ type: 'guest-stuck' });
      expect(await domid(vm)).toBe(before);
      if (away) {
        await world.killWorker(world.london);
        await come(async () => (await running(vm)) === null);
        await world.startWorker(world.london);
      }
      await come(async () => ((await running(vm)) ?? before) > before);
      await expectUnmoved(world, vm);
    }
  });

  test('a guest that goes down only after its revert was aborted is started again', async () => {
    const vm = await world.makeVm('revert-later');
    await (await migrate(world, { vm: vm.name })).result();
    const { lab } = world.frankfurt.host;
    const domidThere = async (): Promise<number> => Number((await xl(world.frankfurt, 'domid', vm.name)).stdout);
    const before = await domidThere();
    setFault(lab.root, { slowShutdownMs: 6_000, vm: vm.name, times: 1 });
    const back = await world.sealift.revert({ vm: vm.name, confirm: vm.name, timings: quick, graceMs: 300 });
    await until(back, ({ phase }) => phase === 'waits');
    await back.abort();
    await expect(back.result()).rejects.toMatchObject({ type: 'cancelled' });
    await come(async () => (await domidThere()) > before);
    await expectMoved(world, vm);
  });

  test('a guest that an abort started again is left alone when a person shuts it down', async () => {
    const vm = await world.makeVm('person');
    setFault(world.london.host.lab.root, { slowShutdownMs: 1_000, vm: vm.name, times: 1 });
    const move = await migrate(world, { vm: vm.name, graceMs: 300, onStuckGuest: 'abort' });
    await expect(move.result()).rejects.toMatchObject({ type: 'guest-stuck' });
    await come(() => !isWatched(vm));
    await xl(world.london, 'shutdown', '-w', vm.name);
    await world.killWorker(world.london);
    await world.startWorker(world.london);
    await (await migrate(world, { vm: vm.name })).result();
    expect((await xl(world.frankfurt, 'list')).stdout).not.toContain(vm.name);
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

  /** Whether the host waits for the guest to obey an order. */
  function isWatched(vm: TestVm): boolean {
    const { records, runs } = readHostRecords(world.london);
    const lineage = records.find(({ vmUuid }) => vmUuid === vm.uuid)?.lineage;
    return JSON.stringify(runs.filter((run) => run.lineage === lineage)).includes('"until"');
  }

  async function running(vm: TestVm): Promise<number | null> {
    const { exitCode, stdout } = await xl(world.london, 'domid', vm.name);
    return exitCode === 0 ? Number(stdout) : null;
  }

  /** Waits until something is so that nobody tells. */
  async function come(so: () => boolean | Promise<boolean>): Promise<void> {
    const end = Date.now() + 60_000;
    while (!(await so())) {
      if (Date.now() > end) throw new Error(`it has not come: ${String(so)}`);
      await sleep(50);
    }
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
