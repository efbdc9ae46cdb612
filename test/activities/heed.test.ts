import { randomUUID } from 'node:crypto';
import { open } from 'node:fs/promises';
import { afterEach, expect, test } from '@jest/globals';
import { heedByHand } from '../../activities/heed.ts';
import { claimStride } from '../../deed/claim.ts';
import { createIdentity } from '../../deed/identity.ts';
import { signStatement } from '../../deed/statement.ts';
import { closeHosts, fencedVm, openHosts, vm } from './support.ts';

afterEach(closeHosts);

test('a host that heeds a claim with a move under way stops its sender before it fences the copy', async () => {
  const { london, frankfurt } = await openHosts();
  const migrationId = randomUUID();
  const path = await fencedVm(london, migrationId);
  const ada = await createIdentity(london.made.poolPath, 'operator');
  const file = { ...london.host.file, operator: [{ name: 'ada@example.org', identity: ada.name }] };
  const host = { ...london.host, file };
  const lineage = host.deeds.byVm(vm.vmUuid)?.lineage ?? '';
  const claim = signStatement(ada, {
    ...{ v: 1, kind: 'claim', lineage, token: 2 + claimStride },
    ...{ from: ada.name, to: frankfurt.host.identity.name, against: host.identity.name },
    ...vm,
    reason: 'it burned down',
  });

  // As a sender has it, until it is stopped.
  const disk = await open(path, 'r');
  const stopped: string[] = [];
  host.jobs.stop = async (id) => {
    stopped.push(id);
    await disk.close();
  };
  await heedByHand(host, { vm: vm.vmName, shown: [claim] });
  expect(stopped).toEqual([migrationId]);
  expect(host.deeds.byVm(vm.vmUuid)).toMatchObject({ state: 'ceded', token: 2 + claimStride });
});
