import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { HostActivities } from '../../activities/port.ts';
import { failure } from '../support/fake-host.ts';
import { reset } from '../support/reset.ts';
import { quick, TestTemporal, until } from '../support/temporal.ts';
import type { Pair } from '../support/temporal.ts';

/** Low enough for a wait to come to it, high enough for an undisturbed move not to. */
const suggestAfterEvents = 100;

let temporal: TestTemporal;
beforeAll(async () => {
  temporal = await TestTemporal.start({ 'limit.historyCount.suggestContinueAsNew': String(suggestAfterEvents) });
}, 60_000);
afterAll(async () => {
  await temporal.stop();
});

/** The workflow has begun to handle an order. */
async function untilAbortIsTaken(workflowId: string): Promise<void> {
  const taken = async (): Promise<boolean> => {
    const { events } = await temporal.client.workflow.getHandle(workflowId).fetchHistory();
    return (events ?? []).some((event) => event.workflowExecutionUpdateAcceptedEventAttributes != null);
  };
  while (!(await taken())) await delay(20);
}

/** The VM is where it was, as it was, and its run is spent. */
function expectUndone({ from, to, vm }: Pair): void {
  expect(from.vms.get(vm.vmUuid)).toMatchObject({ running: true, fenced: false, deed: 'holder' });
  expect([...from.runs.values()].every((run) => run.run === 'aborted')).toBe(true);
  expect(to.vms.get(vm.vmUuid)?.deed ?? 'none').not.toBe('holder');
}

function expectMoved({ from, to, vm }: Pair): void {
  expect(from.vms.get(vm.vmUuid)).toMatchObject({ running: false, fenced: true, deed: 'ceded' });
  expect(to.vms.get(vm.vmUuid)).toMatchObject({ running: true, deed: 'holder' });
}

/** What a host says of a VM whose run it has open still, or has not ended wholly. */
async function leftOpen(_ask: unknown, real: () => Promise<unknown>): Promise<unknown> {
  return { ...((await real()) as object), run: { migrationId: randomUUID(), peer: null } };
}

describe('abort', () => {
  const steps: [keyof HostActivities, 'from' | 'to'][] = [
    ['surveySource', 'from'],
    ['surveyDestination', 'to'],
    ['openRun', 'from'],
    ['receiveRun', 'to'],
    ['stopVm', 'from'],
    ['fenceVm', 'from'],
    ['sendDisks', 'from'],
    ['makeReady', 'to'],
    ['cede', 'from'],
  ];
  test.each(steps)('while %s runs leaves the VM as it was', async (step, side) => {
    const pair = await temporal.pair();
    const held = pair[side].hold(step);
    const move = await pair.migrate();
    await held.begun;
    expect(await move.abort()).toMatchObject({ outcome: 'aborted' });
    await expect(move.result()).rejects.toMatchObject({ type: 'cancelled' });
    expect(await move.status()).toMatchObject({ phase: 'aborted', error: { type: 'cancelled' } });
    expectUndone(pair);
  });

  test('after a step was done but before its end is known undoes that step', async () => {
    const pair = await temporal.pair();
    const held = pair.from.hold('stopVm', 'after');
    const move = await pair.migrate();
    await held.begun;
    expect(pair.vm.running).toBe(false);
    expect(await move.abort()).toEqual({ outcome: 'aborted', restarted: true });
    expectUndone(pair);
    expect(pair.to.count('closeLanding')).toBe(1);
  });

  test('at the gate ends the wait', async () => {
    const pair = await temporal.pair();
    const move = await pair.migrate({ cutover: 'approve' });
    await until(move, ({ phase }) => phase === 'waits');
    expect(await move.abort()).toEqual({ outcome: 'aborted', restarted: false });
    expectUndone(pair);
  });

  test('is refused when the source has ceded, whatever the workflow knows, and the move goes on', async () => {
    const pair = await temporal.pair();
    const held = pair.from.hold('cede', 'after');
    const move = await pair.migrate();
    await held.begun;
    await expect(move.abort()).rejects.toMatchObject({
      type: 'abort-refused',
      hint: expect.stringContaining('sealift revert'),
    });
    const receipt = await move.result();
    expect(receipt.body.probe).toHaveLength(1);
    expectMoved(pair);
  });

  test('is refused when it crosses the cede, which is done before it hears of the abort', async () => {
    const pair = await temporal.pair();
    const { promise: aborting, resolve } = Promise.withResolvers<null>();
    pair.from.rule('cede', async (_ask, real) => {
      const done = await real();
      await aborting;
      return done;
    });
    const move = await pair.migrate();
    await until(move, ({ phase }) => phase === 'cede');
    const aborted = expect(move.abort()).rejects.toMatchObject({ type: 'abort-refused' });
    await untilAbortIsTaken(move.workflowId);
    resolve(null);
    await aborted;
    await move.result();
    expectMoved(pair);
  });

  test('by cancelling the workflow does the same', async () => {
    const pair = await temporal.pair();
    const held = pair.from.hold('sendDisks');
    const move = await pair.migrate();
    await held.begun;
    await temporal.client.workflow.getHandle(move.workflowId).cancel();
    await expect(move.result()).rejects.toMatchObject({ type: 'cancelled' });
    expectUndone(pair);
  });

  test('waits for a source that cannot undo yet, and says so', async () => {
    const pair = await temporal.pair();
    pair.from.fail('abortRun', 'unknown-state', 'the domain is paused by somebody', 2);
    const held = pair.to.hold('receiveRun');
    const move = await pair.migrate();
    await held.begun;
    const aborted = move.abort();
    await until(move, ({ waits }) => waits.join().includes('the domain is paused by somebody'));
    expect(await aborted).toMatchObject({ outcome: 'aborted' });
    expectUndone(pair);
  });
});

describe('a step that fails', () => {
  test('for good before the cede is undone, and its error is the outcome', async () => {
    const pair = await temporal.pair();
    pair.from.fail('fenceVm', 'fence-failed', 'chattr: operation not supported');
    const move = await pair.migrate();
    await expect(move.result()).rejects.toMatchObject({
      type: 'fence-failed',
      message: 'chattr: operation not supported',
    });
    expect(await move.status()).toMatchObject({ phase: 'failed' });
    expectUndone(pair);
  });

  test('for now is tried again', async () => {
    const pair = await temporal.pair();
    pair.from.fail('sendDisks', 'landing-away', 'connection refused', 3);
    await (await pair.migrate()).result();
    expect(pair.from.count('sendDisks')).toBe(4);
    expectMoved(pair);
  });

  test('after the cede is waited for, never undone', async () => {
    const pair = await temporal.pair();
    pair.to.fail('startVm', 'name-taken', 'a domain of that name runs', 3);
    const move = await pair.migrate();
    await until(move, ({ waits }) => waits.join().includes('a domain of that name runs [name-taken]'));
    await move.result();
    expect(pair.from.count('abortRun')).toBe(0);
    expectMoved(pair);
  });

  test('after the cede for good can be left, and reverted in one go', async () => {
    const pair = await temporal.pair();
    pair.to.fail('startVm', 'name-taken', 'a domain of that name runs');
    const move = await pair.migrate();
    await until(move, ({ phase }) => phase === 'waits');
    await expect(move.abort()).rejects.toMatchObject({ type: 'abort-refused' });
    const revert = await temporal.sealift.revert({ vm: pair.vm.vmName, confirm: pair.vm.vmName, timings: quick });
    await expect(move.result()).rejects.toMatchObject({ type: 'left' });
    expect(await revert.result()).toMatchObject({ host: pair.from.name });
    expect(pair.vm).toMatchObject({ running: true, deed: 'holder' });
  });
});

describe('a host that is away', () => {
  test('is waited for and reported; a late worker finds nothing that still acts', async () => {
    const pair = await temporal.pair();
    const sending = pair.from.hold('sendDisks');
    const move = await pair.migrate({ timings: { ...quick, pickUpMs: 300 } });
    await sending.begun;
    await temporal.stopHost(pair.to);
    sending.release();
    await until(move, ({ waits }) => waits[0]?.startsWith(`${pair.to.name} is away`) ?? false);
    expect(pair.to.count('makeReady')).toBe(0);
    await temporal.startHost(pair.to);
    await move.result();
    expect(pair.to.count('makeReady')).toBe(1);
    expectMoved(pair);
  });

  test('for long makes the workflow continue as new, with nothing forgotten or done twice', async () => {
    const pair = await temporal.pair();
    const sending = pair.from.hold('sendDisks');
    const move = await pair.migrate({ cutover: 'approve', timings: { ...quick, pickUpMs: 100, awayPauseMs: 10 } });
    await move.approve({ by: 'ops' });
    await sending.begun;
    await temporal.stopHost(pair.to);
    sending.release();
    const handle = temporal.client.workflow.getHandle(move.workflowId);
    const { runId } = await handle.describe();
    await until(move, ({ phase }) => phase === 'waits');
    while ((await handle.describe()).runId === runId) await delay(100);
    await temporal.startHost(pair.to);
    const { body } = await move.result();
    expect(body).toMatchObject({ approvedBy: 'ops', token: 2, wireBytes: 2 ** 20 });
    for (const step of ['surveySource', 'openRun', 'stopVm', 'fenceVm', 'sendDisks', 'cede'] as const) {
      expect([step, pair.from.count(step)]).toEqual([step, 1]);
    }
    expect((await move.status()).done.map((one) => one.phase)).toContain('survey');
    expectMoved(pair);
  });

  test('holds up an abort, which goes on by itself when the host is back', async () => {
    const pair = await temporal.pair();
    const receiving = pair.to.hold('receiveRun');
    const move = await pair.migrate({ timings: { ...quick, pickUpMs: 100, awayPauseMs: 10 } });
    await receiving.begun;
    await temporal.stopHost(pair.from);
    // The compensation outlives this run of the workflow, so the answer tells that it is not there yet.
    expect(await move.abort()).toEqual({ outcome: 'under-way', restarted: false });
    await temporal.startHost(pair.from);
    await expect(move.result()).rejects.toMatchObject({ type: 'cancelled' });
    expectUndone(pair);
  });
});

describe('a guest that does not shut down', () => {
  /** Obeys only when it is destroyed, or asked with at least `graceMs`. */
  function stubborn({ from, vm }: Pair, graceMs = Infinity): void {
    from.rule('stopVm', async (ask, real) => {
      const asked = ask as { graceMs: number; migrationId: string };
      const run = from.runs.get(asked.migrationId);
      if (run !== undefined) run.wasRunning ??= vm.running;
      if (!vm.running || asked.graceMs >= graceMs) return real();
      return { outcome: 'stuck', wasRunning: true, detail: 'it still answers on vif 0' };
    });
  }

  test('and policy "abort" is left running', async () => {
    const pair = await temporal.pair();
    stubborn(pair);
    const move = await pair.migrate({ onStuckGuest: 'abort', graceMs: 0 });
    await expect(move.result()).rejects.toMatchObject({
      type: 'guest-stuck',
      message: expect.stringContaining('it still answers on vif 0'),
    });
    expectUndone(pair);
  });

  test('and policy "destroy" is destroyed', async () => {
    const pair = await temporal.pair();
    stubborn(pair);
    const move = await pair.migrate({ onStuckGuest: 'destroy', graceMs: 0 });
    await move.result();
    expect(pair.from.count('destroyVm')).toBe(1);
    expect((await move.status()).done.find((one) => one.phase === 'stop')?.note).toBe('destroyed');
    expectMoved(pair);
  });

  test('and policy "wait" waits for a person, who gives it more time', async () => {
    const pair = await temporal.pair();
    stubborn(pair, 60_000);
    const move = await pair.migrate({ graceMs: 0 });
    await until(move, ({ waits }) => waits.some((line) => line.startsWith(`sealift destroy ${pair.vm.vmName}`)));
    await expect(move.wait(-1)).rejects.toMatchObject({ type: 'bad-usage' });
    await move.wait(1);
    await move.result();
    expectMoved(pair);
  });

  test('is destroyed by update only with its name typed', async () => {
    const pair = await temporal.pair();
    stubborn(pair);
    const move = await pair.migrate({ graceMs: 0 });
    await until(move, ({ phase }) => phase === 'waits');
    await expect(move.destroy('web', 'ops')).rejects.toMatchObject({ type: 'confirmation-mismatch' });
    expect(pair.vm.running).toBe(true);
    let asked: unknown;
    pair.from.rule('destroyVm', (ask, real) => {
      asked = ask;
      return real();
    });
    await move.destroy(pair.vm.vmName, 'ops@example.org');
    await move.result();
    expect(asked).toMatchObject({ by: 'ops@example.org' });
    expectMoved(pair);
  });

  test('is aborted by update', async () => {
    const pair = await temporal.pair();
    stubborn(pair);
    const move = await pair.migrate({ graceMs: 0 });
    await until(move, ({ phase }) => phase === 'waits');
    expect(await move.abort()).toMatchObject({ outcome: 'aborted' });
    expectUndone(pair);
  });

  test('but goes down by itself while people are asked goes on', async () => {
    const pair = await temporal.pair();
    stubborn(pair);
    const move = await pair.migrate({ graceMs: 0 });
    await until(move, ({ phase }) => phase === 'waits');
    pair.vm.running = false;
    await move.result();
    expectMoved(pair);
  });
});

describe('the same migration again', () => {
  test('by a reset to its beginning gets the same run and does not void it', async () => {
    const pair = await temporal.pair();
    const sending = pair.from.hold('sendDisks');
    const move = await pair.migrate();
    await sending.begun;
    const [run] = pair.from.runs.values();
    // What a real host says of disks that this very run has placed already.
    pair.to.rule('surveyDestination', async (_ask, real) => ({
      ...((await real()) as object),
      concerns: [{ name: 'name-taken', severity: 'refuses', text: 'there is a landing of it', remedy: null }],
    }));
    const runId = await reset(temporal.client, move.workflowId);
    await temporal.client.workflow.getHandle(move.workflowId, runId).result();
    expect([...pair.from.runs.values()]).toEqual([run]);
    expect(pair.from.count('abortRun')).toBe(0);
    expectMoved(pair);
  });

  test('by a reset after the cede goes forward, although nothing of it is remembered', async () => {
    const pair = await temporal.pair();
    const accepting = pair.to.hold('acceptDeed');
    const move = await pair.migrate();
    await accepting.begun;
    const runId = await reset(temporal.client, move.workflowId);
    await temporal.client.workflow.getHandle(move.workflowId, runId).result();
    expect(pair.from.count('abortRun')).toBe(0);
    expectMoved(pair);
  });

  test('by a start with the same id goes on with the run that a terminated workflow left', async () => {
    const pair = await temporal.pair();
    const sending = pair.from.hold('sendDisks');
    const move = await pair.migrate();
    await sending.begun;
    const { migrationId } = await move.status();
    await temporal.client.workflow.getHandle(move.workflowId).terminate('lost by accident');
    await expect(move.result()).rejects.toMatchObject({ type: 'unknown-state' });
    sending.release();
    await (await pair.migrate({ migrationId })).result();
    expect(pair.from.runs.size).toBe(1);
    expectMoved(pair);
  });

  test('whose run is closed is refused', async () => {
    const pair = await temporal.pair();
    pair.from.rule('openRun', async (_ask, real) => ({ ...((await real()) as object), run: 'aborted' }));
    await expect((await pair.migrate()).result()).rejects.toMatchObject({ type: 'run-closed' });
  });

  test('a second, different one is refused while one is open', async () => {
    const pair = await temporal.pair();
    const held = pair.from.hold('surveySource');
    const move = await pair.migrate();
    await held.begun;
    await expect(pair.migrate()).rejects.toMatchObject({
      type: 'already-migrating',
      message: `a move of ${pair.vm.vmName} is open, from ${pair.from.name} to ${pair.to.name}`,
      hint: expect.stringContaining('--supersede'),
    });
    held.release();
    await move.result();
  });
});

describe('a revert', () => {
  test('wants the name, gives the VM back and says which writes stay behind', async () => {
    const pair = await temporal.pair();
    const { vmName } = pair.vm;
    await (await pair.migrate()).result();
    expect(await temporal.sealift.planRevert(vmName)).toMatchObject({ from: pair.to.name, to: pair.from.name });
    const wrong = temporal.sealift.revert({ vm: vmName, confirm: 'web', timings: quick });
    await expect(wrong).rejects.toMatchObject({ type: 'confirmation-mismatch' });
    const revert = await temporal.sealift.revert({ vm: vmName, confirm: vmName, timings: quick });
    const result = await revert.result();
    expect(result).toMatchObject({ vmName, host: pair.from.name, started: true, leftBehind: { host: pair.to.name } });
    expect(result.leftBehind?.since).toBe('2026-11-22T14:02:31.000Z');
    expect(await revert.status()).toMatchObject({ kind: 'revert', phase: 'done' });
    expect(pair.vm).toMatchObject({ running: true, fenced: false, deed: 'holder', token: 3 });
    expect(pair.to.vms.get(pair.vm.vmUuid)).toMatchObject({ running: false, fenced: true, deed: 'none' });
  });

  test('can be aborted until the deed is given back', async () => {
    const pair = await temporal.pair();
    const { vmName, vmUuid } = pair.vm;
    await (await pair.migrate()).result();
    const held = pair.to.hold('fenceVm');
    const revert = await temporal.sealift.revert({ vm: vmUuid, confirm: vmName, timings: quick });
    await held.begun;
    expect(await revert.abort()).toEqual({ outcome: 'aborted', restarted: true });
    expect(pair.to.vms.get(vmUuid)).toMatchObject({ running: true, fenced: false, deed: 'holder' });
  });

  test('is not aborted past its host when it does not take the order any more', async () => {
    const pair = await temporal.pair();
    const { vmName } = pair.vm;
    await (await pair.migrate()).result();
    const held = pair.from.hold('startVm');
    pair.from.rule('inspectVm', leftOpen);
    const revert = await temporal.sealift.revert({ vm: vmName, confirm: vmName, timings: quick });
    await held.begun;
    await expect(revert.abort()).rejects.toMatchObject({ type: 'abort-refused' });
    expect(pair.from.count('abortRun')).toBe(0);
    held.release();
    expect(await revert.result()).toMatchObject({ host: pair.from.name, started: true });
  });

  test('shuts a guest down again that came up before its fence', async () => {
    const pair = await temporal.pair();
    const { vmName, vmUuid } = pair.vm;
    await (await pair.migrate()).result();
    const moved = pair.to.vms.get(vmUuid);
    if (moved === undefined) throw new Error('the VM is not there');
    pair.to.rule('fenceVm', async () => {
      pair.to.rules.delete('fenceVm');
      moved.running = true;
      throw failure('vm-running', `${vmName} has a domain on ${pair.to.name}`);
    });
    const stops = pair.to.count('stopVm');
    const revert = await temporal.sealift.revert({ vm: vmName, confirm: vmName, timings: quick });
    expect(await revert.result()).toMatchObject({ host: pair.from.name, started: true });
    expect(pair.to.count('stopVm') - stops).toBe(2);
    expect(moved).toMatchObject({ running: false, fenced: true, deed: 'none' });
  });

  test('cannot begin where nothing was moved', async () => {
    const pair = await temporal.pair();
    const revert = temporal.sealift.revert({ vm: pair.vm.vmName, confirm: pair.vm.vmName });
    await expect(revert).rejects.toMatchObject({ type: 'revert-refused' });
  });
});

test('an abort ends at the host what Temporal has forgotten', async () => {
  const pair = await temporal.pair();
  await expect(temporal.sealift.handle(pair.vm.vmName)).rejects.toMatchObject({ type: 'unknown-run' });
  pair.from.rule('inspectVm', leftOpen);
  pair.from.rule('abortRun', () => Promise.resolve({ restarted: true }));
  for (const name of [pair.vm.vmName, pair.vm.vmUuid]) {
    const move = await temporal.sealift.handle(name);
    expect(await move.abort()).toEqual({ outcome: 'aborted', restarted: true });
  }
});

test('an abort is answered when somebody has opened another run meanwhile', async () => {
  const pair = await temporal.pair();
  const held = pair.to.hold('receiveRun');
  pair.from.rule('abortRun', () => {
    throw failure('run-closed', 'unfence refused: the migration had token 2, the record is at 3');
  });
  const move = await pair.migrate();
  await held.begun;
  expect(await move.abort()).toEqual({ outcome: 'aborted', restarted: false });
  held.release();
  await expect(move.result()).rejects.toMatchObject({ type: 'cancelled' });
});

test('a move ends when somebody has moved its VM on before it was started', async () => {
  const pair = await temporal.pair();
  pair.to.rule('startVm', () => {
    throw failure('run-closed', 'unfence refused: the migration had token 2, the record is at 3');
  });
  await expect((await pair.migrate()).result()).rejects.toMatchObject({ type: 'run-closed' });
  expect(pair.to.count('startVm')).toBe(1);
  expect(pair.to.count('abortRun') + pair.from.count('abortRun')).toBe(0);
});

test('a revert that is aborted although the answer to its beginning was lost gives the return up', async () => {
  const pair = await temporal.pair();
  const { vmName } = pair.vm;
  await (await pair.migrate()).result();
  pair.to.rule('beginReturn', async (_ask, real) => {
    await real();
    throw failure('xl-failed', 'xl list failed (exit 1)');
  });
  const revert = await temporal.sealift.revert({ vm: vmName, confirm: vmName, timings: quick });
  while (pair.to.count('beginReturn') === 0) await delay(20);
  expect(await revert.abort()).toMatchObject({ outcome: 'aborted' });
  expect(pair.to.count('abortRun')).toBe(1);
});

test('a finish whose old host is away can be aborted, and takes no order of a move', async () => {
  const pair = await temporal.pair();
  const { vmName } = pair.vm;
  await (await pair.migrate()).result();
  const held = pair.from.hold('finishHold');
  const finish = await temporal.sealift.finish({ vm: vmName, by: 'test' });
  await held.begun;
  const move = await temporal.sealift.handle(vmName);
  await expect(move.pause()).rejects.toMatchObject({
    type: 'bad-usage',
    hint: expect.stringContaining('sealift list'),
  });
  expect(await finish.abort()).toEqual({ outcome: 'aborted', restarted: false });
  await expect(finish.result()).rejects.toMatchObject({ message: `the finish of ${vmName} was aborted` });
  expect(await (await temporal.sealift.finish({ vm: vmName, by: 'test' })).result()).toMatchObject({
    host: pair.from.name,
  });
});

test('orders for a VM whose name two VMs have are refused', async () => {
  const pair = await temporal.pair();
  await (await pair.migrate()).result();
  pair.from.addVm(pair.vm.vmName, { deed: 'ceded', running: false, fenced: true });
  const several = { type: 'bad-usage', message: expect.stringContaining('is the name of several VMs') };
  await expect(temporal.sealift.finish({ vm: pair.vm.vmName, by: 'test' })).rejects.toMatchObject(several);
  await expect(temporal.sealift.planRevert(pair.vm.vmName)).rejects.toMatchObject(several);
});

test('finish releases the copy at the source, after which nothing can be reverted', async () => {
  const pair = await temporal.pair();
  const { vmName } = pair.vm;
  await (await pair.migrate()).result();
  const result = await (await temporal.sealift.finish({ vm: vmName, by: 'test' })).result();
  expect(result).toMatchObject({ host: pair.from.name, released: [expect.stringMatching(/^copy-/)] });
  await expect(temporal.sealift.planRevert(vmName)).rejects.toMatchObject({ type: 'revert-refused' });
  const revert = await temporal.sealift.revert({ vm: vmName, confirm: vmName, timings: quick });
  await expect(revert.result()).rejects.toMatchObject({ type: 'revert-refused' });
  expect(pair.to.calls).not.toContain('stopVm');
});

test('a defect in a host (an error of no known type) undoes the move', async () => {
  const pair = await temporal.pair();
  pair.from.rule('fenceVm', async () => {
    throw failure('internal', 'cannot read properties of undefined');
  });
  await expect((await pair.migrate()).result()).rejects.toMatchObject({ type: 'internal' });
  expectUndone(pair);
});

describe('a move that keeps memory', () => {
  test('asks the source to, and says when the memory was lost', async () => {
    const { from, to, migrate } = await temporal.pair();
    const asked: unknown[] = [];
    for (const step of ['surveySource', 'openRun'] as const) {
      from.rule(step, (ask, real) => {
        asked.push(ask);
        return real();
      });
    }
    to.rule('startVm', async (_ask, real) => ({ ...((await real()) as object), memory: 'lost' }));
    const move = await migrate({ keepMemory: true });
    await move.result();
    expect(asked).toMatchObject([{ keepMemory: true }, { input: { keepMemory: true } }]);
    const { done } = await move.status();
    expect(done.find(({ phase }) => phase === 'start')?.note).toBe('anew: its memory could not be kept');
  });

  test('whose guest cannot be saved asks a person, by the reason', async () => {
    const { from, vm, migrate } = await temporal.pair();
    from.rule('stopVm', (_ask, real) =>
      vm.running
        ? Promise.resolve({ outcome: 'stuck', wasRunning: true, detail: 'it could not be saved: no drivers' })
        : real(),
    );
    const move = await migrate({ keepMemory: true });
    await until(move, ({ phase }) => phase === 'waits');
    expect((await move.status()).waits[0]).toBe(`${vm.vmName} has not stopped: it could not be saved: no drivers`);
    await move.abort();
    await expect(move.result()).rejects.toMatchObject({ type: 'cancelled' });
  });
});
