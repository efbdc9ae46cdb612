import type { Pair, TestTemporal } from '../support/temporal.ts';
import { quick, until } from '../support/temporal.ts';

/** What golden histories are recorded of: each plays one story to its end and names the workflow. */
export const scenarios: Record<string, (temporal: TestTemporal, pair: Pair) => Promise<string>> = {
  'migrate-sealed': async (_temporal, { migrate }) => {
    const move = await migrate();
    await move.result();
    return move.workflowId;
  },
  'migrate-staged-approved': async (_temporal, { migrate }) => {
    const move = await migrate({ method: 'staged', cutover: 'approve' });
    await until(move, ({ phase }) => phase === 'waits');
    await move.approve({ by: 'ops' });
    await move.result();
    return move.workflowId;
  },
  'migrate-aborted': async (_temporal, { from, migrate }) => {
    const held = from.hold('sendDisks');
    const move = await migrate();
    await held.begun;
    await move.pause();
    await move.abort();
    await move.result().catch(() => undefined);
    return move.workflowId;
  },
  'migrate-stuck-destroyed': async (_temporal, { from, vm, migrate }) => {
    from.rule('stopVm', async (_ask, real) =>
      vm.running ? { outcome: 'stuck', wasRunning: true, detail: 'it answers' } : real(),
    );
    const move = await migrate({ graceMs: 0 });
    await until(move, ({ phase }) => phase === 'waits');
    await move.destroy(vm.vmName, 'ops');
    await move.result();
    return move.workflowId;
  },
  'migrate-host-away': async (temporal, { from, to, migrate }) => {
    const held = from.hold('sendDisks');
    const move = await migrate({ timings: { ...quick, pickUpMs: 200 } });
    await held.begun;
    await temporal.stopHost(to);
    held.release();
    await until(move, ({ phase }) => phase === 'waits');
    await temporal.startHost(to);
    await move.result();
    return move.workflowId;
  },
  'migrate-ready-rounds': async (_temporal, { to, migrate }) => {
    let missing = 1;
    to.rule('makeReady', async (_ask, real) => (missing-- > 0 ? { missingChunks: 2 } : real()));
    const move = await migrate();
    await move.result();
    return move.workflowId;
  },
  revert: async (temporal, { vm, migrate }) => {
    await (await migrate()).result();
    const revert = await temporal.sealift.revert({ vm: vm.vmUuid, confirm: vm.vmName, timings: quick });
    await revert.result();
    return revert.workflowId;
  },
  finish: async (temporal, { vm, migrate }) => {
    await (await migrate()).result();
    const finish = await temporal.sealift.finish({ vm: vm.vmUuid, by: 'test' });
    await finish.result();
    return finish.workflowId;
  },
  'scheduled-move': async (temporal, { from, to, vm }) => {
    const workflowId = `scheduled/golden-${vm.vmName}`;
    await temporal.client.workflow.execute('scheduledMove', {
      workflowId,
      taskQueue: 'sealift',
      args: [{ what: { vm: vm.vmName }, from: from.name, options: { to: to.name, timings: quick } }],
    });
    await (await temporal.sealift.handle(vm.vmUuid)).result();
    return workflowId;
  },
};
