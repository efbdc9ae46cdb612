import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { TestTemporal, until } from '../support/temporal.ts';
import { root } from '../support/fake-host.ts';

let temporal: TestTemporal;
beforeAll(async () => {
  temporal = await TestTemporal.start();
}, 60_000);
afterAll(async () => {
  await temporal.stop();
});

describe('an undisturbed move', () => {
  test.each(['sealed', 'staged'] as const)('by %s ends with a receipt, in at most 150 events', async (method) => {
    const { from, to, vm, migrate } = await temporal.pair();
    const move = await migrate({ method });
    const receipt = await move.result();

    expect(receipt.signatures).toEqual({ source: expect.any(String), destination: expect.any(String) });
    expect(receipt.body).toMatchObject({
      method,
      root,
      token: 2,
      lineage: vm.lineage,
      source: { name: from.name },
      destination: { name: to.name },
      disks: [{ vdev: 'xvda' }, { vdev: 'xvdb' }],
      probe: [{ check: 'domain', passed: true }],
      wireBytes: 2 ** 20,
    });
    expect(receipt.body.downMs).not.toBeNull();
    expect(from.receipts).toHaveLength(1);
    expect(to.receipts[0]).toEqual(receipt);
    expect(from.vms.get(vm.vmUuid)).toMatchObject({ running: false, fenced: true, deed: 'ceded' });
    expect(to.vms.get(vm.vmUuid)).toMatchObject({ running: true, fenced: false, deed: 'holder' });
    expect(await temporal.events(move.workflowId)).toBeLessThanOrEqual(150);

    const status = await move.status();
    expect(status).toMatchObject({ phase: 'done', waits: [], error: null, root, token: 2 });
    const order = ['survey', 'plan', 'open', 'stop', 'fence', 'move', 'ready', 'cede', 'start', 'probe', 'receipt'];
    expect(status.done.map((one) => one.phase)).toEqual(order);
    const [listed] = await temporal.sealift.list({ vm: vm.vmName });
    expect(listed).toMatchObject({ vmName: vm.vmName, from: from.name, to: to.name, method, phase: 'done', token: 2 });
  });

  test('calls a phase done when the last of its steps is', async () => {
    const { to, migrate } = await temporal.pair();
    const receiving = to.hold('receiveRun');
    const starting = to.hold('startVm');
    const move = await migrate();
    const seen = async (): Promise<string[]> => {
      const { phase, done } = await move.status();
      return [...done.map((one) => one.phase).slice(-1), phase];
    };
    await receiving.begun;
    expect(await seen()).toEqual(['plan', 'open']);
    receiving.release();
    await starting.begun;
    expect(await seen()).toEqual(['cede', 'start']);
    starting.release();
    await move.result();
  });

  test('leaves a VM stopped that was not running, and does not probe it', async () => {
    const { to, vm, migrate } = await temporal.pair();
    vm.running = false;
    const { body } = await (await migrate()).result();
    expect(body).toMatchObject({ downMs: null, probe: [] });
    expect(to.vms.get(vm.vmUuid)).toMatchObject({ running: false, deed: 'holder' });
  });

  test('records a probe that does not pass, and undoes nothing', async () => {
    const { to, vm, migrate } = await temporal.pair();
    to.rule('probeVm', async () => [{ check: 'tcp', passed: false, detail: 'connection refused' }]);
    const move = await migrate();
    const { body } = await move.result();
    expect(body.probe).toEqual([{ check: 'tcp', passed: false, detail: 'connection refused' }]);
    expect(await move.status()).toMatchObject({ phase: 'done', error: { type: 'probe-failed' } });
    expect(to.vms.get(vm.vmUuid)).toMatchObject({ running: true, deed: 'holder' });
  });

  test('shows itself in the Web UI: summaries, details, and a description of every update', async () => {
    const { from, to, vm, migrate } = await temporal.pair();
    const move = await migrate();
    await move.result();
    const handle = temporal.client.workflow.getHandle(move.workflowId);
    const described = await handle.describe();
    expect(await described.staticSummary()).toBe(`${vm.vmName}: ${from.name} → ${to.name} · sealed`);
    const metadata = await handle.query<{
      currentDetails: string;
      definition: { updateDefinitions: { name: string; description: string }[] };
    }>('__temporal_workflow_metadata');
    expect(metadata.currentDetails).toContain(`**${vm.vmName}**`);
    expect(metadata.currentDetails).toContain('✓ fence');
    const updates = metadata.definition.updateDefinitions;
    expect(updates.map((one) => one.name).sort()).toEqual([
      'abort',
      'approve',
      'destroy',
      'leave',
      'pause',
      'resume',
      'throttle',
      'wait',
    ]);
    expect(updates.filter((one) => one.description === '')).toEqual([]);
  });
});

describe('before anything is changed', () => {
  test('a concern that refuses ends the move with its type and remedy', async () => {
    const { from, to, vm, migrate } = await temporal.pair();
    to.freeBytes = 10;
    const move = await migrate();
    await expect(move.result()).rejects.toMatchObject({
      type: 'no-space',
      message: expect.stringContaining(`${vm.vmName} was not moved: ${to.name} has 10 bytes free`),
      hint: expect.stringContaining('nothing was stopped or copied'),
    });
    expect(await move.status()).toMatchObject({ phase: 'failed', error: { type: 'no-space' } });
    expect(from.count('openRun')).toBe(0);
    expect(from.count('abortRun')).toBe(0);
  });

  test('an input that does not fit ends the workflow with bad-usage', async () => {
    const handle = await temporal.client.workflow.start('migrateVm', {
      workflowId: `migrate/${randomUUID()}`,
      taskQueue: 'sealift',
      args: [{ vmName: '-rf' }],
    });
    await expect(handle.result()).rejects.toMatchObject({ cause: { type: 'bad-usage' } });
  });

  test('a window that is over refuses', async () => {
    const { from, migrate } = await temporal.pair();
    const cutover = { notBefore: '2020-01-01T00:00:00Z', notAfter: '2020-01-01T01:00:00Z' };
    await expect((await migrate({ cutover })).result()).rejects.toMatchObject({ type: 'window-passed' });
    expect(from.count('surveySource')).toBe(0);
  });

  test('a window that ends while the run is opened refuses right before the stop, and the run is aborted', async () => {
    const { from, to, vm, migrate } = await temporal.pair();
    const held = to.hold('receiveRun');
    const notAfter = new Date(Date.now() + 2_000);
    const move = await migrate({ cutover: { notBefore: '2020-01-01T00:00:00Z', notAfter: notAfter.toISOString() } });
    await held.begun;
    setTimeout(held.release, Math.max(0, notAfter.getTime() - Date.now() + 20));
    await expect(move.result()).rejects.toMatchObject({ type: 'window-passed' });
    expect(from.count('stopVm')).toBe(0);
    expect([...from.runs.values()]).toMatchObject([{ run: 'aborted' }]);
    expect(vm.running).toBe(true);
  });

  test('a window that has not begun is waited for', async () => {
    const { from, migrate } = await temporal.pair();
    const notBefore = new Date(Date.now() + 800).toISOString();
    let stoppedAt = '';
    from.rule('stopVm', async (_ask, real) => {
      stoppedAt = new Date().toISOString();
      return real();
    });
    const move = await migrate({ cutover: { notBefore, notAfter: '2100-01-01T00:00:00Z' } });
    await move.result();
    expect(stoppedAt >= notBefore).toBe(true);
  });
});

describe('the gate', () => {
  test('holds until somebody approves, and the receipt says who', async () => {
    const { from, vm, migrate } = await temporal.pair();
    const move = await migrate({ cutover: 'approve' });
    await until(move, ({ phase }) => phase === 'waits');
    expect((await move.status()).waits[0]).toContain('waits for approval');
    expect(from.count('stopVm')).toBe(0);
    expect(vm.running).toBe(true);
    await expect(move.approve({ by: '' })).rejects.toMatchObject({ type: 'bad-usage' });
    await move.approve({ by: 'ops@example.org' });
    expect((await move.result()).body.approvedBy).toBe('ops@example.org');
    const gate = (await move.status()).done.find(({ phase }) => phase === 'gate');
    expect(gate?.note).toBe('approved by ops@example.org');
  });

  test('takes no approval when none was asked for', async () => {
    const { from, migrate } = await temporal.pair();
    const held = from.hold('stopVm');
    const move = await migrate();
    await held.begun;
    await expect(move.approve({ by: 'ops' })).rejects.toMatchObject({ type: 'bad-usage' });
    held.release();
    await move.result();
  });
});

describe('steering', () => {
  test('reaches the transfer that runs, and is remembered for one that comes', async () => {
    const { from, vm, migrate } = await temporal.pair();
    const stopping = from.hold('stopVm');
    const sending = from.hold('sendDisks');
    const move = await migrate();
    await stopping.begun;
    await move.pause();
    await move.throttle(1_000);
    expect(from.steering).toEqual([]);
    stopping.release();
    await sending.begun;
    const { migrationId } = await move.status();
    expect(from.steering).toEqual([{ migrationId, paused: true, limitBytesPerSecond: 1_000 }]);
    await move.resume();
    await move.throttle(null);
    expect(from.steering.slice(1)).toEqual([
      { migrationId, paused: false },
      { migrationId, limitBytesPerSecond: null },
    ]);
    from.fail('steerTransfer', 'unknown-state', 'the host is confused');
    await expect(move.pause()).rejects.toMatchObject({ message: 'the host is confused' });
    expect(await move.status()).toMatchObject({ paused: false });
    from.rules.delete('steerTransfer');
    await expect(move.throttle(-1)).rejects.toMatchObject({
      type: 'bad-usage',
      message: '-1 is not a rate in bytes per second',
    });
    sending.release();
    await move.result();
    await expect(move.pause()).rejects.toMatchObject({ type: 'ended' });
    expect(vm.running).toBe(false);
  });

  test('live bytes come from the heartbeats', async () => {
    const { from, migrate } = await temporal.pair();
    const sending = from.hold('sendDisks');
    const move = await migrate();
    await sending.begun;
    await until(move, ({ transfer }) => transfer?.disks[0]?.verifiedBytes === 2 ** 19);
    sending.release();
    let last;
    for await (const at of move.progress({ intervalMs: 20 })) last = at;
    expect(last).toMatchObject({ phase: 'done', closed: true, verifiedBytes: 2 ** 21, totalBytes: 2 ** 21 });
  });
});

describe('READY', () => {
  test('is asked for again after what it misses was sent again', async () => {
    const { from, to, migrate } = await temporal.pair();
    const rounds: unknown[] = [];
    from.rule('sendDisks', async (ask, real) => {
      rounds.push((ask as { round: number }).round);
      return real();
    });
    let missing = 2;
    to.rule('makeReady', async (_ask, real) => (missing-- > 0 ? { missingChunks: 3 } : real()));
    const { body } = await (await migrate()).result();
    expect(rounds).toEqual([0, 1, 2]);
    expect(body.wireBytes).toBe(3 * 2 ** 20);
  });

  test('that never comes ends in manifest-mismatch, with the VM running at its source', async () => {
    const { from, to, vm, migrate } = await temporal.pair();
    to.rule('makeReady', async () => ({ missingChunks: 1 }));
    const move = await migrate({ method: 'staged' });
    await expect(move.result()).rejects.toMatchObject({ type: 'manifest-mismatch' });
    expect(from.count('sealContainer')).toBe(5);
    expect(vm).toMatchObject({ running: true, fenced: false, deed: 'holder' });
  });
});
