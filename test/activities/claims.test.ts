import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { makeClaim, planClaim } from '../../activities/claims.ts';
import { deedReport } from '../../activities/deed-report.ts';
import type { Host, Onlooker } from '../../activities/host.ts';
import { createIdentity } from '../../deed/identity.ts';
import type { Identity } from '../../deed/identity.ts';
import type { DeedReport } from '../../domain/deed-report.ts';
import { dom0At } from '../../xen/dom0.ts';
import { xlToolstack } from '../../xen/xl.ts';
import { adopted, makeHost, moved, removeHosts, vm } from '../deed/support.ts';
import type { TestHost } from '../deed/support.ts';

let a: TestHost;
let b: TestHost;
let c: TestHost;
let operator: Identity;
beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sealift-operator-'));
  [a, b, c, operator] = await Promise.all([makeHost(), makeHost(), makeHost(), createIdentity(folder, 'operator')]);
  await rm(folder, { recursive: true });
  adopted(a);
});
afterEach(removeHosts);

const onlooker = (name: string, { identity, database, folder }: TestHost): Onlooker => ({
  file: { name, operator: [{ name: 'ada', identity: operator.name }], peer: [] } as unknown as Onlooker['file'],
  me: identity.name,
  database,
  dom0: dom0At(folder),
  toolstack: xlToolstack({ command: '/bin/false', env: {}, limitMs: 5_000 }),
});

/** What a host tells of its record. */
const told = async (name: string, host: TestHost, peers: DeedReport[] = []): Promise<DeedReport> => {
  const report = await deedReport(onlooker(name, host), { vm: vm.vmName, peers });
  if (report === null) throw new Error(`${name} knows nothing`);
  return report;
};

const hostA = (): Host => ({ ...onlooker('lon-1', a), identity: a.identity, deeds: a.deeds }) as unknown as Host;

/** What `a` plans by what others tell, and what it says of a claim in what it explains: null when it is possible. */
const plan = async (...peers: DeedReport[]): Promise<{ against: () => string; why: string | null | undefined }> => {
  const host = hostA();
  const { steps } = await told('lon-1', a, peers);
  return {
    against: () => planClaim(host, { vm: vm.vmName, reason: 'fra-1 is gone', operator, peers }).body.against,
    why: steps.find(({ step }) => step === 'claim')?.why,
  };
};

test('a claim is refused when a third host that is shown has the VM, and not when it is the one that is gone', async () => {
  moved(a, b);
  const first = await plan(await told('fra-1', b));
  expect(first.against()).toBe(b.identity.name);
  expect(first.why).toBeNull();
  moved(b, c);
  moved(c, a);
  moved(a, b);
  // What this host itself told is in what all hosts told.
  const second = await plan(await told('lon-1', a), await told('fra-1', b));
  expect(second.against()).toBe(b.identity.name);
  expect(second.why).toBeNull();
  moved(b, c);
  const third = await plan(await told('fra-1', b), await told('par-1', c));
  const has = `claim refused: par-1 has ${vm.vmName} as holder, and is not the host that is gone`;
  expect(third.against).toThrow(has);
  expect(third.why).toBe(has);
  // Before its end fra-1 may have given it back to par-1, whose copy is the newer one.
  moved(c, b);
  const fourth = await plan(await told('fra-1', b), await told('par-1', c));
  const handed = `claim refused: par-1 handed ${vm.vmName} to the host that is gone after this one did`;
  expect(fourth.against).toThrow(handed);
  expect(fourth.why).toBe(handed);
});

test('a claim needs the name of the VM as it is, and without it nothing is signed', async () => {
  moved(a, b);
  const planned = planClaim(hostA(), { vm: vm.vmName, reason: 'fra-1 is gone', operator, peers: [] });
  const claimed = makeClaim(hostA(), planned, { operator, confirm: `${vm.vmName} `, start: false });
  await expect(claimed).rejects.toMatchObject({ type: 'confirmation-mismatch' });
  expect(a.deeds.byVm(vm.vmUuid)).toMatchObject({ state: 'ceded', token: 2 });
  expect(
    a.deeds.statements(a.deeds.byVm(vm.vmUuid)?.lineage ?? '').map(({ statement }) => statement.body.kind),
  ).not.toContain('claim');
});
