import { Client } from '@temporalio/client';
import type { Connection } from '@temporalio/client';
import { describe, expect, test } from '@jest/globals';
import { openConnection } from '../../client/connect.ts';
import type { RevertResult, TaskHandle } from '../../client/index.ts';
import type { Phase } from '../../domain/progress.ts';
import { clearFaults, setFault } from '../../infra/lab/lab-host.ts';
import { until } from '../../infra/lab/patience.ts';
import { readHostRecords } from '../matrix/judge/host-records.ts';
import { expectMoved, expectUnmoved } from '../support/expect-moved.ts';
import { reset } from '../support/reset.ts';
import { untilPast } from '../support/until.ts';
import { useWorld } from '../support/use-world.ts';
import { migrate, quick } from '../support/world.ts';
import type { TestHost, TestVm } from '../support/world.ts';

describe('a way back on which a worker is killed', () => {
  const world = useWorld();

  const kill = async (at: TestHost): Promise<void> => {
    await world.killWorker(at);
    await world.startWorker(at);
  };

  const openTemporal = async (): Promise<{ connection: Connection; temporal: Client }> => {
    const { address } = world.up.server;
    const connection = await openConnection({ address, namespace: 'default', connectionOptions: { address } });
    return { connection, temporal: new Client({ connection }) };
  };

  /** A VM that its revert has taken back, and not set up: its host asks for a domain of it first, and hears nothing. */
  const takenBack = async (name: string): Promise<{ vm: TestVm; reverting: TaskHandle<RevertResult> }> => {
    const vm = await world.makeVm(name);
    await (await migrate(world, { vm: vm.name })).result();
    const reverting = await world.sealift.revert({ vm: vm.name, confirm: vm.name, timings: quick });
    await untilPast(reverting, 'stop');
    setFault(world.london.host.lab.root, { hang: 'list' });
    const holds = (): boolean =>
      readHostRecords(world.london).records.some(({ vmUuid, state }) => vmUuid === vm.uuid && state === 'holder');
    expect(await until(30_000, holds)).toBe(true);
    return { vm, reverting };
  };

  const answerAgain = async (): Promise<void> => {
    await world.killWorker(world.london);
    clearFaults(world.london.host.lab.root);
    await world.startWorker(world.london);
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

  // Found by the soak, seed 70003: neither host held the VM, and no command but those by hand knew a way on.
  test.each(['terminated', 'reset'] as const)(
    'revert goes on after a workflow that was %s with the VM given back',
    async (how) => {
      const vm = await world.makeVm(`revert-${how}`);
      await (await migrate(world, { vm: vm.name })).result();
      const reverting = await world.sealift.revert({ vm: vm.name, confirm: vm.name, timings: quick });
      await untilPast(reverting, 'stop');
      await world.killWorker(world.london);
      await untilPast(reverting, 'start');
      const { connection, temporal } = await openTemporal();
      const { workflowId } = reverting;
      if (how === 'reset') await reset(temporal, workflowId);
      else await temporal.workflow.getHandle(workflowId).terminate('lost by accident');
      await world.startWorker(world.london);
      if (how === 'terminated') await world.sealift.revert({ vm: vm.name, confirm: vm.name, timings: quick });
      expect(await temporal.workflow.getHandle(workflowId).result()).toMatchObject({
        host: 'lon-1',
        started: true,
        leftBehind: { host: 'fra-1' },
      });
      await connection.close();
      await expectUnmoved(world, vm);
    },
  );

  // Found by the fault matrix, seed 1051: the VM lay fenced at its holder, and nothing went on.
  test('revert goes on after a workflow that was reset with the VM taken back and not set up', async () => {
    const { vm, reverting } = await takenBack('aside');
    const { connection, temporal } = await openTemporal();
    await reset(temporal, reverting.workflowId);
    await answerAgain();
    expect(await temporal.workflow.getHandle(reverting.workflowId).result()).toMatchObject({
      host: 'lon-1',
      started: true,
      leftBehind: { host: 'fra-1' },
    });
    await connection.close();
    await expectUnmoved(world, vm);
  });

  test('abort sets up a VM that was taken back by a revert that was terminated', async () => {
    const { vm, reverting } = await takenBack('aside-aborted');
    const { connection, temporal } = await openTemporal();
    await temporal.workflow.getHandle(reverting.workflowId).terminate('lost by accident');
    await answerAgain();
    await expect(world.sealift.revert({ vm: vm.name, confirm: vm.name, timings: quick })).rejects.toMatchObject({
      hint: expect.stringContaining('sealift abort'),
    });
    const handle = await world.sealift.handle(vm.name);
    expect(await handle.abort()).toEqual({ outcome: 'aborted', restarted: true });
    await connection.close();
    await expectUnmoved(world, vm);
  });

  // An abort whose own start failed was told, when it was given again, that there was nothing to abort.
  test.each(['move', 'revert'] as const)(
    'abort of a %s that could not start the VM starts it when given again',
    async (what) => {
      const vm = await world.makeVm(`start-owed-${what}`);
      const { lab } = world[what === 'move' ? 'london' : 'frankfurt'].host;
      const fault = { slowShutdownMs: 2_000, vm: vm.name, times: 1 };
      let ending: Pick<TaskHandle<RevertResult>, 'workflowId'>;
      if (what === 'move') {
        setFault(lab.root, fault);
        ending = await migrate(world, { vm: vm.name });
      } else {
        await (await migrate(world, { vm: vm.name })).result();
        setFault(lab.root, fault);
        ending = await world.sealift.revert({ vm: vm.name, confirm: vm.name, timings: quick });
      }
      const ordered = (): boolean =>
        readHostRecords(what === 'move' ? world.london : world.frankfurt).records.some(
          ({ vmUuid, wasRunning }) => vmUuid === vm.uuid && wasRunning === true,
        );
      expect(await until(30_000, ordered)).toBe(true);
      setFault(lab.root, { refuse: 'create', vm: vm.name });
      const { connection, temporal } = await openTemporal();
      await temporal.workflow.getHandle(ending.workflowId).terminate('lost by accident');
      const handle = await world.sealift.handle(vm.name);
      await expect(handle.abort()).rejects.toMatchObject({ type: 'xl-failed' });
      clearFaults(lab.root);
      expect(await handle.abort()).toEqual({ outcome: 'aborted', restarted: true });
      await connection.close();
      await (what === 'move' ? expectUnmoved : expectMoved)(world, vm);
      await expect(handle.abort()).rejects.toMatchObject({ type: 'ended' });
    },
  );

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

  test('finish finds a copy whose host was to take the VM back by a move that was aborted', async () => {
    const vm = await world.makeVm('came-to-nothing');
    await (await migrate(world, { vm: vm.name })).result();
    const back = await migrate(world, { vm: vm.name, to: 'lon-1', cutover: 'approve' });
    await untilPast(back, 'open');
    await back.abort();
    await expect(back.result()).rejects.toMatchObject({ type: 'cancelled' });
    await expect(world.sealift.planRevert(vm.name)).rejects.toMatchObject({
      type: 'revert-refused',
      message: expect.stringContaining('cannot go back to lon-1'),
      hint: expect.stringContaining('finish'),
    });
    const finishing = await world.sealift.finish({ vm: vm.name, by: 'test' });
    expect(await finishing.result()).toMatchObject({ host: 'lon-1', released: [expect.any(String)] });
    await expectMoved(world, vm);
  });
});
