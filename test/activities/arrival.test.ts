import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { makeClaim, planClaim } from '../../activities/claims.ts';
import { closeLanding, receiveRun } from '../../activities/run.ts';
import { readNotes, updateNotes } from '../../activities/notes.ts';
import { takenConcerns } from '../../activities/survey.ts';
import { createIdentity } from '../../deed/identity.ts';
import type { Domain } from '../../xen/toolstack.ts';
import { closeHosts, disks, offers, openHosts, placement, vm } from './support.ts';
import type { OpenHost } from './support.ts';

afterEach(closeHosts);

/** A landing whose guest has come with its memory, after READY: its domain waits. */
async function withArrival(): Promise<{ there: OpenHost; migrationId: string; domain: Domain }> {
  const { london, frankfurt: there } = await openHosts();
  const offer = offers(london, there, randomUUID(), 'live');
  const { migrationId } = offer.body;
  const { host, made } = there;
  await receiveRun(host, { offer, placement, disks, from: 'lon-1' });
  const [disk] = readNotes(host.deeds, migrationId).disks;
  const config = [
    `name = "${vm.vmName}"`,
    `uuid = "${vm.vmUuid}"`,
    'type = "hvm"',
    'memory = 32',
    `disk = ["${disk?.path ?? ''},raw,xvda,w"]`,
  ].join('\n');
  const path = join(made.lab.root, 'arrives.cfg');
  await writeFile(path, config);
  await host.toolstack.create(path, { paused: true });
  const [domain] = await host.toolstack.list();
  if (domain === undefined) throw new Error('no domain came');
  host.deeds.ready(migrationId, 'a'.repeat(64));
  const arrival = { session: 1, domid: domain.domid, configDigest: 'b'.repeat(64), woken: false };
  updateNotes(host.deeds, migrationId, { config, arrival, digests: [] });
  return { there, migrationId, domain };
}

test('by a claim a guest does not go on that came before its source was lost: it may have run on there', async () => {
  const { there, domain } = await withArrival();
  const operator = await createIdentity(there.made.lab.root, 'operator');
  const host = { ...there.host, file: { ...there.host.file, operator: [{ name: 'ada', identity: operator.name }] } };
  const plan = planClaim(host, { vm: vm.vmName, reason: 'lon-1 is gone', operator, peers: [] });
  await makeClaim(host, plan, { operator, confirm: vm.vmName, start: true });
  const domains = await host.toolstack.list();
  expect(domains).toMatchObject([{ uuid: vm.vmUuid, state: 'running' }]);
  expect(domains[0]?.domid).toBeGreaterThan(domain.domid);
});

test('what waits of a guest is in no survey, and goes when its landing is closed', async () => {
  const { there, migrationId, domain } = await withArrival();
  const { host } = there;
  expect(await takenConcerns(host, vm, await host.toolstack.list())).toEqual([]);
  await host.toolstack.unpause(domain);
  const concerns = await takenConcerns(host, vm, await host.toolstack.list());
  expect(concerns.map(({ name }) => name)).toEqual(['name-taken']);
  await host.toolstack.destroy(domain);

  await host.toolstack.create(join(there.made.lab.root, 'arrives.cfg'), { paused: true });
  await closeLanding(host, migrationId);
  expect(await host.toolstack.list()).toEqual([]);
});
