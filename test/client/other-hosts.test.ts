import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { FakeHost } from '../support/fake-host.ts';
import { quick, TestTemporal } from '../support/temporal.ts';

const paris = new FakeHost('par-1', []);
let temporal: TestTemporal;
beforeAll(async () => {
  temporal = await TestTemporal.start();
}, 60_000);
afterAll(async () => {
  await temporal.stopHost(paris);
  await temporal.stop();
});

test('a peer that never registered may hold the VM, so it is not adopted unless a person names the peer', async () => {
  const { from, to, vm } = await temporal.pair();
  from.peers.push('par-1');
  const ask = { vm: vm.vmName, host: from.name, by: 'ops' };
  await expect(temporal.sealift.adopt(ask)).rejects.toMatchObject({
    type: 'adoption-refused',
    message: expect.stringContaining('par-1'),
  });
  const other = { ...ask, withoutAsking: ['fra-1'] };
  await expect(temporal.sealift.adopt(other)).rejects.toMatchObject({ type: 'adoption-refused' });
  expect(await temporal.sealift.adopt({ ...ask, withoutAsking: ['par-1'] })).toMatchObject({ notAsked: ['par-1'] });

  await temporal.stopHost(to);
  await expect(temporal.sealift.adopt({ ...ask, withoutAsking: ['par-1'] })).rejects.toMatchObject({
    type: 'adoption-refused',
    message: expect.stringContaining('fra-1'),
  });
});

test('a third host with the same uuid refuses plan and move; one that is away is named', async () => {
  const { to, vm, migrate } = await temporal.pair();
  const { sealift } = temporal;
  const plan = () => sealift.plan({ vm: vm.vmUuid, from: 'lon-1', to: to.name });
  expect(await plan()).toMatchObject({
    refused: false,
    concerns: [{ name: 'not-asked', severity: 'note', text: expect.stringContaining('par-1') }],
  });

  await temporal.startHost(paris);
  while (!(await sealift.hosts()).some((host) => host.name === paris.name)) await delay(20);
  const twin = paris.addVm('twin', { vmUuid: vm.vmUuid, deed: 'ceded', running: false, fenced: true });
  expect(await plan()).toMatchObject({ refused: false, concerns: [] });
  Object.assign(twin, { deed: null });
  expect(await plan()).toMatchObject({ refused: false, concerns: [{ name: 'seen-elsewhere', severity: 'warns' }] });
  Object.assign(twin, { deed: 'holder' });
  expect(await plan()).toMatchObject({ refused: true, concerns: [{ name: 'held-elsewhere' }] });
  const move = await migrate({ vm: vm.vmUuid });
  await expect(move.result()).rejects.toMatchObject({
    type: 'preflight-refused',
    message: expect.stringContaining('par-1 has a VM of the same uuid'),
  });
  expect(vm.running).toBe(true);

  Object.assign(twin, { deed: 'ceded' });
  const receipt = await (await migrate({ vm: vm.vmUuid, timings: quick })).result();
  expect(receipt.body.destination.name).toBe(to.name);
});
