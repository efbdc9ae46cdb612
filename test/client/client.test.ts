import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { connect } from '../../client/index.ts';
import { FakeHost } from '../support/fake-host.ts';
import { quick, TestTemporal } from '../support/temporal.ts';

let temporal: TestTemporal;
beforeAll(async () => {
  temporal = await TestTemporal.start();
}, 60_000);
afterAll(async () => {
  await temporal.stop();
});

describe('connect', () => {
  test('the example of ten lines moves a VM', async () => {
    const { vm } = await temporal.pair();
    const sealift = await connect({ address: temporal.server.address });
    const move = await sealift.migrate({ vm: vm.vmName, to: 'fra-1', cutover: 'approve', timings: quick });
    const seen = new Set<string>();
    for await (const at of move.progress({ intervalMs: 50 })) {
      seen.add(at.phase);
      if (at.phase === 'waits') await move.approve({ by: 'ops@example.org' });
    }
    const receipt = await move.result();
    expect(receipt.body.approvedBy).toBe('ops@example.org');
    expect([...seen]).toEqual(expect.arrayContaining(['waits', 'done']));
    await sealift.close();
  });

  test('to nothing fails with temporal-away and a hint', async () => {
    await expect(connect({ address: '127.0.0.1:1', connectMs: 300 })).rejects.toMatchObject({
      type: 'temporal-away',
      message: 'no Temporal server answers at 127.0.0.1:1',
      hint: expect.stringContaining('sealift up'),
    });
  });

  test('by a profile whose certificate is missing names the file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sealift-profile-'));
    const file = join(folder, 'temporal.toml');
    const certificate = join(folder, 'no.pem');
    const tls = `client_cert_path = "${certificate}"\nclient_key_path = "${certificate}"`;
    await writeFile(file, `[profile.far]\naddress = "127.0.0.1:1"\n[profile.far.tls]\n${tls}\n`);
    process.env.TEMPORAL_CONFIG_FILE = file;
    try {
      await expect(connect({ profile: 'far' })).rejects.toMatchObject({
        type: 'bad-config',
        message: expect.stringContaining(certificate),
      });
    } finally {
      delete process.env.TEMPORAL_CONFIG_FILE;
      await rm(folder, { recursive: true });
    }
  });
});

test('list has a move while it runs and when it ended; open, only while it runs', async () => {
  const { vm } = await temporal.pair();
  const { sealift } = temporal;
  const move = await sealift.migrate({ vm: vm.vmName, to: 'fra-1', cutover: 'approve', timings: quick });
  const listed = async (open: boolean, running: boolean): Promise<void> => {
    const found = await sealift.list({ vm: vm.vmName, open });
    if (found[0]?.running !== running) throw new Error(`not yet: ${JSON.stringify(found)}`);
  };
  for (const open of [false, true]) await settled(() => listed(open, true));
  await settled(() => move.approve({ by: 'ops' }));
  await move.result();
  await settled(() => listed(false, false));
  expect(await sealift.list({ vm: vm.vmName, open: true })).toEqual([]);
});

describe('asking hosts', () => {
  test('plan says what would happen and changes nothing', async () => {
    const { from, to, vm } = await temporal.pair();
    const plan = await temporal.sealift.plan({ vm: vm.vmName, to: to.name });
    expect(plan).toMatchObject({
      vmUuid: vm.vmUuid,
      from: from.name,
      to: to.name,
      totalBytes: 2 ** 21,
      rttMs: 41,
      concerns: [],
      refused: false,
    });
    to.freeBytes = 1;
    expect(await temporal.sealift.plan({ vm: vm.vmName, to: to.name })).toMatchObject({
      refused: true,
      concerns: [{ name: 'no-space' }],
    });
    const nowhere = await temporal.sealift.plan({ vm: vm.vmName, to: from.name });
    expect(nowhere).toMatchObject({ refused: true, concerns: [{ name: 'same-host' }] });
    expect(nowhere.concerns).toHaveLength(1);
    expect(from.runs.size).toBe(0);
  });

  test('an unknown VM, an unknown host and a host that is away are three errors', async () => {
    const { from, to, vm } = await temporal.pair();
    const { sealift } = temporal;
    await expect(sealift.migrate({ vm: 'nobody', to: to.name })).rejects.toMatchObject({ type: 'unknown-vm' });
    await expect(sealift.migrate({ vm: 'nobody', from: from.name, to: to.name })).rejects.toMatchObject({
      type: 'unknown-vm',
    });
    await expect(sealift.migrate({ vm: vm.vmName, from: from.name, to: 'mars-1' })).rejects.toMatchObject({
      type: 'unknown-host',
      message: 'no host named mars-1 has ever registered',
    });
    await temporal.stopHost(to);
    await expect(sealift.plan({ vm: vm.vmName, from: from.name, to: to.name })).rejects.toMatchObject({
      type: 'host-away',
      hint: expect.stringContaining(`start it on ${to.name}`),
    });
    expect(await sealift.vms()).toMatchObject({ vms: [{ vmName: vm.vmName, host: from.name }], away: [to.name] });
    expect(await sealift.hosts()).toMatchObject([
      { name: to.name, away: true, card: { site: 'frankfurt' } },
      { name: from.name, away: false, card: { site: 'london' } },
    ]);
  });

  test('a request that does not fit is bad-usage before anything starts', async () => {
    const { from, to, vm } = await temporal.pair();
    const request = { vm: vm.vmName, from: from.name, to: to.name, streams: 1_000 };
    await expect(temporal.sealift.migrate(request)).rejects.toMatchObject({ type: 'bad-usage', message: /^streams: / });
    expect(await temporal.sealift.list({ vm: vm.vmName })).toEqual([]);
    await expect(temporal.sealift.list({ vm: 'a" OR "' })).rejects.toMatchObject({ type: 'bad-usage' });
    await expect(temporal.sealift.handle(vm.vmName)).rejects.toMatchObject({ type: 'unknown-run' });
    await expect(temporal.sealift.handle(randomUUID())).rejects.toMatchObject({ type: 'unknown-run' });
  });

  test('adopt asks the other hosts first', async () => {
    const { from, to, vm } = await temporal.pair();
    const { sealift } = temporal;
    const ask = { vm: vm.vmName, host: from.name, by: 'ops' };
    expect(await sealift.adopt(ask)).toMatchObject({ vmUuid: vm.vmUuid, notAsked: [] });
    to.addVm('copy-of-web', { vmUuid: vm.vmUuid });
    await expect(sealift.adopt(ask)).rejects.toMatchObject({ type: 'adoption-refused' });
    expect(await sealift.inspect({ vm: vm.vmName })).toMatchObject({ host: from.name, summary: { vmUuid: vm.vmUuid } });
    await expect(sealift.inspect({ vm: vm.vmUuid })).rejects.toMatchObject({
      type: 'bad-usage',
      message: /fra-1 and lon-1/,
    });
  });

  test('garbage is listed and removed on the host that has it', async () => {
    const { to } = await temporal.pair();
    expect(await temporal.sealift.garbage(to.name)).toMatchObject([{ id: 'g1' }]);
    const removed = await temporal.sealift.removeGarbage({ host: to.name, ids: ['g1'], by: 'ops' });
    expect(removed).toMatchObject({ removed: [{ id: 'g1', note: 'removed' }], refused: [] });
  });

  test('receipts of both hosts are given once; a handle is found by name', async () => {
    const { vm, migrate } = await temporal.pair();
    const receipt = await (await migrate()).result();
    expect(await temporal.sealift.receipts({ vm: vm.vmName })).toEqual([receipt]);
    const handle = await temporal.sealift.handle(vm.vmName);
    expect(handle.vmUuid).toBe(vm.vmUuid);
    expect(await handle.result()).toEqual(receipt);
  });
});

test('the plan of a revert is refused where a later run has spent a token since the VM came', async () => {
  const { to, vm, migrate } = await temporal.pair();
  await (await migrate()).result();
  expect(await temporal.sealift.planRevert(vm.vmName)).toMatchObject({ from: 'fra-1', to: 'lon-1' });
  const there = to.vms.get(vm.vmUuid);
  if (there === undefined) throw new Error('the VM is not there');
  there.token += 1;
  await expect(temporal.sealift.planRevert(vm.vmName)).rejects.toMatchObject({
    type: 'revert-refused',
    message: expect.stringContaining('a move of it was begun on fra-1 since it came'),
  });
});

test('steering a move that has ended says how it ended, and offers the way back instead of an abort', async () => {
  const { vm, migrate } = await temporal.pair();
  const move = await migrate();
  await move.result();
  const line = `the move of ${vm.vmName} has ended (done, on fra-1)`;
  await expect(move.abort()).rejects.toMatchObject({
    type: 'abort-refused',
    message: line,
    hint: expect.stringContaining(`sealift revert ${vm.vmName}`),
  });
  await expect(move.approve({ by: 'ops' })).rejects.toMatchObject({ type: 'ended', message: line });
  await expect(move.pause()).rejects.toMatchObject({ type: 'ended' });

  const back = await temporal.sealift.revert({ vm: vm.vmName, confirm: vm.vmName, timings: quick });
  await back.result();
  const after = temporal.sealift.handle(vm.vmUuid).then((handle) => handle.pause());
  await expect(after).rejects.toMatchObject({
    type: 'ended',
    message: `the revert of ${vm.vmName} has ended (done, on lon-1)`,
  });
});

describe('schedules', () => {
  test('move a VM under its own workflow id, with overlap, jitter and catch-up as asked', async () => {
    const { from, to, vm } = await temporal.pair();
    const { schedules } = temporal.sealift;
    const id = `nightly-${vm.vmName}`;
    const request = {
      id,
      what: { vm: vm.vmName },
      from: from.name,
      to: to.name,
      when: { cron: '0 3 * * SUN' },
      options: { timings: quick },
    };
    await schedules.create(request);
    await expect(schedules.create(request)).rejects.toMatchObject({ type: 'bad-usage' });
    const { policies, spec } = await temporal.client.schedule.getHandle(id).describe();
    expect(policies).toMatchObject({ overlap: 'SKIP', catchupWindow: 3_600_000 });
    expect(spec.jitter).toBe(60_000);

    await schedules.trigger(id);
    const receipt = await (await settled(() => temporal.sealift.handle(vm.vmName))).result();
    expect(receipt.body).toMatchObject({ vmName: vm.vmName, destination: { name: to.name } });

    await schedules.pause(id, 'holiday');
    const list = await settled(async () => {
      const found = (await schedules.list()).filter((one) => one.id === id && one.paused && one.recent.length > 0);
      if (found.length === 0) throw new Error('not yet');
      return found;
    });
    expect(list).toMatchObject([{ what: { vm: vm.vmName }, from: from.name, to: to.name, note: 'holiday' }]);
    for (const act of ['resume', 'pause'] as const) {
      await schedules[act](id);
      await settled(async () => {
        const [found] = (await schedules.list()).filter((one) => one.id === id);
        expect([found?.note, found?.paused]).toEqual(['holiday', act === 'pause']);
      });
    }
    await schedules.delete(id);
    await expect(schedules.trigger(id)).rejects.toMatchObject({ type: 'bad-usage' });
  });

  test('evacuate a host: every VM that it holds, and no other', async () => {
    const { from, to, vm } = await temporal.pair();
    const second = from.addVm('db-1');
    from.addVm('stray', { deed: null });
    const handle = await temporal.client.workflow.start('scheduledMove', {
      workflowId: `scheduled/${randomUUID()}`,
      taskQueue: 'sealift',
      args: [{ what: 'evacuation', from: from.name, options: { to: to.name, timings: quick } }],
    });
    const result: unknown = await handle.result();
    expect(result).toEqual({
      started: [vm, second].map(({ vmName, vmUuid }) => ({ vmName, workflowId: `migrate/${vmUuid}` })),
      skipped: [{ vmName: 'stray', reason: `it is not adopted on ${from.name}` }],
    });
    for (const { vmUuid } of [vm, second]) await (await temporal.sealift.handle(vmUuid)).result();
    expect([...to.vms.values()].filter((one) => one.running)).toHaveLength(2);
  });

  test('once at a moment', async () => {
    const { from, to, vm } = await temporal.pair();
    const { schedules } = temporal.sealift;
    const what = { vm: vm.vmName };
    const at = '2099-05-01T02:03:04.000Z';
    await schedules.create({ id: 'once', what, from: from.name, to: to.name, when: { at } });
    const [found] = await settled(async () => {
      const list = await schedules.list();
      if (list[0]?.next[0] === undefined) throw new Error('not yet');
      return list;
    });
    expect(found?.next).toEqual([at]);
    await schedules.pause('once');
    await settled(async () => {
      expect((await schedules.list())[0]).toMatchObject({ paused: true, note: null });
    });
    await schedules.delete('once');
    const never = schedules.create({ id: 'never', what, from: from.name, to: to.name, when: { at: 'soon' } });
    await expect(never).rejects.toMatchObject({ type: 'bad-usage' });
    const over = schedules.create({
      id: 'over',
      what,
      from: from.name,
      to: to.name,
      when: { at: '2020-01-01T00:00Z' },
    });
    await expect(over).rejects.toMatchObject({ type: 'bad-usage', message: expect.stringContaining('is over') });
  });

  test('a cron line or a time zone that does not parse is wrong usage', async () => {
    const { from, to, vm } = await temporal.pair();
    for (const when of [{ cron: '99 99 * * *' }, { cron: '0 3 * * *', timezone: 'Mars/Olympus' }]) {
      const made = temporal.sealift.schedules.create({
        id: 'wrong',
        what: { vm: vm.vmName },
        from: from.name,
        to: to.name,
        when,
      });
      await expect(made).rejects.toMatchObject({ type: 'bad-usage' });
    }
  });

  test('names that nobody knows are doubts, and a start that failed is told as such', async () => {
    const { from, vm } = await temporal.pair();
    const { schedules } = temporal.sealift;
    const what = { vm: 'nobody' };
    const when = { cron: '0 3 * * SUN' };
    expect(await schedules.create({ id: 'doubtful', what, from: from.name, to: 'mars-1', when })).toEqual([
      'no host named mars-1 has registered',
      `${from.name} has no VM nobody`,
    ]);
    await schedules.trigger('doubtful');
    const stray = from.addVm('stray', { deed: null });
    await schedules.create({ id: 'skips', what: { vm: stray.vmName }, from: from.name, to: 'fra-1', when });
    await schedules.trigger('skips');
    expect(vm.running).toBe(true);
    await settled(async () => {
      const outcomes = (await schedules.list()).map(({ id, outcome }) => [id, outcome]);
      expect(outcomes).toEqual([
        ['doubtful', `failed: ${from.name} has no VM nobody  [unknown-vm]`],
        ['skips', `skipped stray: it is not adopted on ${from.name}`],
      ]);
    });
    for (const id of ['doubtful', 'skips']) await schedules.delete(id);
  });
});

test('a host that registers again keeps one entry with its newest card', async () => {
  const { from } = await temporal.pair();
  await temporal.stopHost(from);
  const again = new FakeHost(from.name, [], 'paris');
  await temporal.startHost(again);
  await temporal.stopHost(again);
  const seen = await settled(async () => {
    const found = (await temporal.sealift.hosts()).filter((host) => host.name === from.name);
    if (found[0]?.card?.site !== 'paris') throw new Error('not yet');
    return found;
  });
  expect(seen).toHaveLength(1);
});

/** Visibility and schedules are a moment late: asks until there is an answer. */
async function settled<T>(ask: () => Promise<T>): Promise<T> {
  for (let round = 0; ; round++) {
    try {
      return await ask();
    } catch (error) {
      if (round === 100) throw error;
      await delay(50);
    }
  }
}
