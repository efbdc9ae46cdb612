import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { planClaim } from '../../activities/claims.ts';
import type { Host } from '../../activities/host.ts';
import { createIdentity } from '../../deed/identity.ts';
import type { DeedReport } from '../../domain/deed-report.ts';
import { adopted, makeHost, moved, removeHosts, vm } from '../deed/support.ts';
import type { TestHost } from '../deed/support.ts';

afterEach(removeHosts);

/** What a host tells of its record. */
const told = (host: string, { identity, deeds }: TestHost): DeedReport =>
  ({ host, identity: identity.name, ...vm, record: deeds.byVm(vm.vmUuid) }) as unknown as DeedReport;

test('a claim is refused when a third host that is shown has the VM, and not when it is the one that is gone', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sealift-operator-'));
  const [a, b, c, operator] = await Promise.all([
    makeHost(),
    makeHost(),
    makeHost(),
    createIdentity(folder, 'operator'),
  ]);
  await rm(folder, { recursive: true });
  adopted(a);
  moved(a, b);
  const file = { name: 'lon-1', operator: [{ name: 'ada', identity: operator.name }], peer: [] };
  const host = { file, identity: a.identity, deeds: a.deeds } as unknown as Host;
  const plan = (...peers: DeedReport[]) => planClaim(host, { vm: vm.vmName, reason: 'fra-1 is gone', operator, peers });
  expect(plan(told('fra-1', b)).body).toMatchObject({ against: b.identity.name });
  moved(b, c);
  moved(c, a);
  moved(a, b);
  // What this host itself told is in what all hosts told.
  expect(plan(told('lon-1', a), told('fra-1', b)).body).toMatchObject({ against: b.identity.name });
  moved(b, c);
  expect(() => plan(told('fra-1', b), told('par-1', c))).toThrow(
    `claim refused: par-1 has ${vm.vmName} as holder, and is not the host that is gone`,
  );
  // Before its end fra-1 may have given it back to par-1, whose copy is the newer one.
  moved(c, b);
  expect(() => plan(told('fra-1', b), told('par-1', c))).toThrow(
    `claim refused: par-1 handed ${vm.vmName} to the host that is gone after this one did`,
  );
});
