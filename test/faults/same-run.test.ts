import { Client } from '@temporalio/client';
import type { Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { openConnection } from '../../client/connect.ts';
import type { MoveHandle } from '../../client/index.ts';
import { sealift } from '../support/command.ts';
import { expectMoved, expectUnmoved } from '../support/expect-moved.ts';
import { reset } from '../support/reset.ts';
import { until, untilPhase } from '../support/until.ts';
import { useWorld } from '../support/use-world.ts';
import { impatient, MiB, migrate } from '../support/world.ts';
import type { TestVm } from '../support/world.ts';

const slow = { limitBytesPerSecond: MiB };
/** Of 18 MiB, 8 of them journaled when it came to harm. */
const half = 12 * MiB;

describe('a move whose workflow is lost in the middle of the bytes', () => {
  const world = useWorld({ settings: impatient });
  let connection: Connection;
  let temporal: Client;
  beforeAll(async () => {
    const { address } = world.up.server;
    connection = await openConnection({ address, namespace: 'default', connectionOptions: { address } });
    temporal = new Client({ connection });
  }, 120_000);
  afterAll(async () => {
    await connection.close();
  }, 60_000);

  /** A VM that is stopped and fenced, with about half of its bytes journaled at the destination. */
  async function halfWay(name: string): Promise<{ vm: TestVm; move: MoveHandle; migrationId: string }> {
    const vm = await world.makeVm(name, { diskBytes: [16 * MiB, 2 * MiB], noise: true });
    const move = await migrate(world, { vm: name, ...slow });
    const { status } = await until(move, ({ verifiedBytes }) => verifiedBytes >= 8 * MiB);
    return { vm, move, migrationId: status.migrationId };
  }

  async function lose(name: string): Promise<{ vm: TestVm; move: MoveHandle; migrationId: string }> {
    const lost = await halfWay(name);
    await temporal.workflow.getHandle(lost.move.workflowId).terminate('lost by accident');
    return lost;
  }

  test('by a reset to its beginning: the same run goes on, and what is journaled is not sent again', async () => {
    const { vm, move, migrationId } = await halfWay('reset');
    await world.killWorker(world.london);
    await reset(temporal, move.workflowId);
    await world.startWorker(world.london);
    const { body } = await (await world.sealift.handle(vm.name)).result();
    expect(body).toMatchObject({ migrationId, token: 2 });
    expect(body.wireBytes).toBeLessThan(half);
    await expectMoved(world, vm);
  });

  test('goes on by the same id, as often as it is asked for', async () => {
    const { vm, migrationId } = await lose('same-id');
    const again = await migrate(world, { vm: vm.name, migrationId, cutover: 'approve' });
    await untilPhase(again, 'waits');
    const third = await migrate(world, { vm: vm.name, migrationId });
    await third.approve({ by: 'test' });
    expect((await again.result()).body).toMatchObject({ migrationId, token: 2 });
    await expectMoved(world, vm);
  });

  test('is named by a plan, and superseded by its name only', async () => {
    const { vm, migrationId } = await lose('superseded');
    const plan = await world.sealift.plan({ vm: vm.name, to: 'fra-1' });
    expect(plan.concerns.filter(({ severity }) => severity === 'refuses')).toMatchObject([
      { name: 'run-open', remedy: expect.stringContaining(`--supersede ${migrationId}`) },
    ]);
    await expect((await migrate(world, { vm: vm.name })).result()).rejects.toMatchObject({ type: 'run-open' });
    const { body } = await (await migrate(world, { vm: vm.name, supersede: migrationId })).result();
    expect(body).toMatchObject({ token: 3 });
    expect(body.wireBytes).toBeLessThan(half);
    await expectMoved(world, vm);
  });

  test('is aborted at the hosts, and the VM runs again where it was', async () => {
    const { vm } = await lose('aborted');
    expect(await sealift(world, 'abort', vm.name, '--json')).toMatchObject({
      exitCode: 0,
      json: [{ outcome: 'aborted', restarted: true }],
    });
    await expectUnmoved(world, vm);
    expect(await sealift(world, 'abort', vm.name, '--json')).toMatchObject({ exitCode: 3 });
    const { body } = await (await migrate(world, { vm: vm.name })).result();
    expect(body.wireBytes).toBeLessThan(half);
    await expectMoved(world, vm);
  });

  test('and one that is open gives way to a move that names it, to no other', async () => {
    const { vm, move, migrationId } = await halfWay('open');
    await move.pause();
    await until(move, (at) => at.transfer?.paused === true);
    const other = 'a0000000-0000-4000-8000-000000000000';
    await expect(migrate(world, { vm: vm.name, supersede: other })).rejects.toMatchObject({
      type: 'already-migrating',
    });
    const next = await migrate(world, { vm: vm.name, supersede: migrationId });
    await expect(move.result()).rejects.toMatchObject({ type: 'cancelled' });
    expect((await next.result()).body.wireBytes).toBeLessThan(half);
    await expectMoved(world, vm);
  });
});
