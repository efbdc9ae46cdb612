import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { PlanRequest } from '../../client/index.ts';
import type { HostFile } from '../../domain/host-file.ts';
import { addLabVm } from '../../infra/lab/lab-host.ts';
import { checkRecords } from '../../infra/lab/records.ts';
import { sshdMissing, startSshd } from '../../infra/lab/sshd.ts';
import type { LabSshd } from '../../infra/lab/sshd.ts';
import { readKey, writeKey } from '../../deed/lun-fence.ts';
import { canLoop, needsLoops } from '../support/loops.ts';
import { StandInTarget } from '../support/luns.ts';
import { until, untilPast, untilPhase } from '../support/until.ts';
import { changeHostFile, makeWorld, MiB, migrate, quick, xl } from '../support/world.ts';
import type { TestHost, World } from '../support/world.ts';

const rootTest = canLoop ? test : test.skip;
const method = sshdMissing === null ? 'staged' : 'sealed';
/** Of each test its own. */
const ids = [1, 2, 3, 4, 5, 6].map((number) => `600000000000000${String(number)}`);
let target: StandInTarget;
let world: World;
let sshd: LabSshd | null = null;
beforeAll(async () => {
  if (!canLoop) return;
  target = new StandInTarget(ids.map((id) => ({ id, sizeBytes: 2 * MiB })));
  sshd = sshdMissing === null ? await startSshd() : null;
  world = await makeWorld({ settings: { iscsi: [target.target], ...(sshd === null ? {} : await stagedBy(sshd)) } });
}, 240_000);
afterAll(async () => {
  if (!canLoop) return;
  await world.close();
  await sshd?.stop();
  await target.close();
}, 60_000);

async function stagedBy({ address, port, user, hostKey, privateKeyPath }: LabSshd): Promise<Partial<HostFile>> {
  const [arrived, made] = [join(target.folder, 'arrived'), join(target.folder, 'made')];
  for (const path of [arrived, made]) await mkdir(path, { mode: 0o700 });
  return {
    staging: { folder: arrived, address, port, user, host_key: hostKey },
    ssh: { folder: made, private_key: privateKeyPath },
  };
}

/** A VM at the source on a LUN, running and adopted. */
async function makeVm(name: string, id: string): Promise<string> {
  const { host } = world.london;
  const device = await target.login(host.env, id).catch(() => target.deviceOn('lon-1', id));
  const vm = await addLabVm(host.lab, {
    name,
    uuid: randomUUID(),
    memoryMib: 32,
    disks: [],
    autostart: true,
    extraConfig: `disk = [ "phy:${device},xvda,w" ]`,
  });
  await xl(world.london, 'create', vm.configPath);
  await world.sealift.adopt({ vm: name, host: host.name, by: 'test' });
  return vm.uuid;
}

async function runs(at: TestHost, name: string): Promise<boolean> {
  return (await xl(at, 'domid', name)).exitCode === 0;
}

/** By which token the LUN is reserved, and for whom. */
function reserved(id: string): string {
  const { reservation } = target.state.luns.find((one) => one.id === id) ?? { reservation: null };
  if (reservation === null) return 'not reserved';
  const key = readKey(BigInt(reservation.key));
  const holder = reservation.nexus.split(/[: ]/).slice(1, -1).join(' ');
  return `token ${String(key?.token)}, ${key?.holder === 0 ? 'nobody' : 'a host'}, ${holder}`;
}

describe('a VM whose disk both hosts reach', () => {
  rootTest(
    `moves without a byte of it crossing, and comes back with what it wrote ${needsLoops}`,
    async () => {
      const [id = ''] = ids;
      await makeVm('shared', id);
      const plan = await world.sealift.plan({ vm: 'shared', from: 'lon-1', to: 'fra-1' });
      expect(plan.concerns.filter(({ severity }) => severity === 'refuses')).toEqual([]);
      expect(plan).toMatchObject({ totalBytes: 0, placement: [], disks: [{ vdev: 'xvda', lun: `naa.${id}` }] });
      const { body } = await (await migrate(world, { vm: 'shared' })).result();
      expect(body).toMatchObject({
        disks: [],
        shared: [{ vdev: 'xvda', sizeBytes: 2 * MiB, lun: `naa.${id}` }],
        plainBytes: 0,
      });
      expect([await runs(world.london, 'shared'), await runs(world.frankfurt, 'shared')]).toEqual([false, true]);
      expect(reserved(id)).toBe('token 2, a host, fra-1');
      expect(target.state.sessions.map(({ host, iface }) => [host, iface])).toEqual([
        ['lon-1', 'default'],
        ['fra-1', 'default'],
      ]);

      await (await world.sealift.revert({ vm: 'shared', confirm: 'shared', timings: quick })).result();
      expect([await runs(world.london, 'shared'), await runs(world.frankfurt, 'shared')]).toEqual([true, false]);
      expect(reserved(id)).toBe('token 3, a host, lon-1');
      expect(world.observer.doubles).toEqual([]);
      expect((await checkRecords(target.fileOf(id))).problems).toEqual([]);
    },
    600_000,
  );

  rootTest(
    `goes by ${method} too, and each host has it back after a boot, as long as it may run it ${needsLoops}`,
    async () => {
      const [, id = ''] = ids;
      await makeVm('staged', id);
      const { body } = await (await migrate(world, { vm: 'staged', method })).result();
      expect(body).toMatchObject({ disks: [], plainBytes: 0, method });
      expect(reserved(id)).toBe('token 2, a host, fra-1');

      // The destination boots, once at a target that does not know its session any more, once at one that has forgotten all.
      for (const forget of [() => undefined, () => target.forget()]) {
        await world.killWorker(world.frankfurt);
        await xl(world.frankfurt, 'destroy', 'staged');
        await target.dropSessions('fra-1');
        forget();
        await world.startWorker(world.frankfurt);
        expect(reserved(id)).toBe('token 2, a host, fra-1');
        expect(target.state.luns.find((one) => one.id === id)?.reservation?.nexus).toBe(target.nexusOf('fra-1'));
        await xl(world.frankfurt, 'create', join(world.frankfurt.host.lab.etcFolder, 'staged.cfg'));
        expect(await runs(world.frankfurt, 'staged')).toBe(true);
      }
      // The source has it fenced, and takes nothing.
      await world.killWorker(world.london);
      await world.startWorker(world.london);
      expect(reserved(id)).toBe('token 2, a host, fra-1');
      await (await world.sealift.revert({ vm: 'staged', confirm: 'staged', timings: quick })).result();
      expect(reserved(id)).toBe('token 3, a host, lon-1');
      await removeVm('staged');
    },
    600_000,
  );

  rootTest(
    `aborted before its cede, it runs on at the source, and the destination logs out again ${needsLoops}`,
    async () => {
      const [, , id = ''] = ids;
      await makeVm('stays', id);
      await target.dropSessions('fra-1');
      const loggedIn = (): string[] => target.state.sessions.map(({ host }) => host);
      const waiting = await migrate(world, { vm: 'stays', cutover: 'approve' });
      await untilPhase(waiting, 'waits');
      expect(loggedIn()).toEqual(['lon-1', 'fra-1']);
      await waiting.abort();
      await expect(waiting.result()).rejects.toMatchObject({ type: 'cancelled' });
      expect(loggedIn()).toEqual(['lon-1']);
      expect(reserved(id)).toBe('not reserved');

      const move = await migrate(world, { vm: 'stays' });
      await untilPast(move, 'fence');
      await world.killWorker(world.frankfurt);
      await until(move, () => reserved(id) === 'token 3, nobody, lon-1 sealift-fence');
      await move.abort();
      await world.startWorker(world.frankfurt);
      await expect(move.result()).rejects.toMatchObject({ type: 'cancelled' });
      expect(await runs(world.london, 'stays')).toBe(true);
      expect(reserved(id)).toBe('token 3, a host, lon-1');
      expect((await checkRecords(target.fileOf(id))).problems).toEqual([]);
      await removeVm('stays');
    },
    600_000,
  );

  rootTest(
    `of which a worker is killed after a program of the fence or of what follows, moves all the same ${needsLoops}`,
    async () => {
      const [, , , id = ''] = ids;
      await makeVm('killed', id);
      for (const step of [3, 9, 15, 24]) {
        const move = await migrate(world, { vm: 'killed' });
        await untilPast(move, 'fence');
        target.set({ killAt: target.state.calls + step });
        const deaths = [world.london, world.frankfurt].map(({ worker }) => worker.ended);
        await Promise.race(deaths);
        target.set({ killAt: null });
        for (const at of [world.london, world.frankfurt]) {
          await world.killWorker(at);
          await world.startWorker(at);
        }
        await move.result();
        expect([await runs(world.london, 'killed'), await runs(world.frankfurt, 'killed')]).toEqual([false, true]);
        await (await world.sealift.revert({ vm: 'killed', confirm: 'killed', timings: quick })).result();
        expect(world.observer.doubles).toEqual([]);
      }
      expect((await checkRecords(target.fileOf(id))).problems).toEqual([]);
      await removeVm('killed');
    },
    600_000,
  );

  rootTest(
    `goes with its memory, which is good once: where the VM has run since, its LUN is newer ${needsLoops}`,
    async () => {
      const id = ids[5] ?? '';
      await makeVm('kept', id);
      const boots = async (): Promise<number[]> =>
        (await checkRecords(target.fileOf(id))).boots.map(({ boot }) => boot);
      const keeping = { vm: 'kept', keepMemory: true };
      const cut = await migrate(world, { ...keeping, limitBytesPerSecond: 1 });
      await untilPast(cut, 'move');
      expect(reserved(id)).toBe('token 2, nobody, lon-1 sealift-fence');
      await cut.abort();
      await expect(cut.result()).rejects.toMatchObject({ type: 'cancelled' });
      expect([await runs(world.london, 'kept'), await boots()]).toEqual([true, [1]]);
      const { body } = await (await migrate(world, keeping)).result();
      expect(body).toMatchObject({ memory: 'kept', disks: [{ vdev: 'memory' }], shared: [{ vdev: 'xvda' }] });
      expect(await boots()).toEqual([1]);
      await (await world.sealift.revert({ vm: 'kept', confirm: 'kept', timings: quick })).result();
      expect(await boots()).toEqual([1, 2]);
      expect((await checkRecords(target.fileOf(id))).problems).toEqual([]);
    },
    600_000,
  );

  rootTest(
    `is refused by name where it cannot be so moved ${needsLoops}`,
    async () => {
      const [, , , , id = ''] = ids;
      await makeVm('refused', id);
      const refusals = async (ask: Partial<PlanRequest> = {}): Promise<string[]> => {
        const { concerns } = await world.sealift.plan({ vm: 'refused', from: 'lon-1', to: 'fra-1', ...ask });
        return concerns.filter(({ severity }) => severity === 'refuses').map(({ name }) => name);
      };
      expect(await refusals()).toEqual([]);
      expect(await refusals({ keepMemory: true })).toEqual([]);
      target.set({ reservable: false });
      expect(await refusals()).toEqual(['fence-failed']);
      target.set({ reservable: true, lasting: false });
      const { concerns } = await world.sealift.plan({ vm: 'refused', from: 'lon-1', to: 'fra-1' });
      const warned = concerns.filter(({ severity }) => severity === 'warns').map(({ name }) => name);
      expect(warned).toEqual(expect.arrayContaining(['lun-forgetful', 'lun-name']));
      target.set({ lasting: true });

      await xl(world.frankfurt, 'create', await configOn(world.frankfurt, 'other', target.deviceOn('fra-1', id)));
      expect(await refusals()).toEqual(['disk-shared']);
      await xl(world.frankfurt, 'destroy', 'other');
      await rm(join(world.frankfurt.host.lab.etcFolder, 'other.cfg'));

      await changeHostFile(world, world.frankfurt, (file) => ({ ...file, iscsi: [] }));
      expect(await refusals()).toEqual(['lun-missing']);
      await changeHostFile(world, world.frankfurt, (file) => ({ ...file, iscsi: [target.target] }));

      // Whom the LUN is reserved for says more than a record that may be an old one. The guest loses its disk by this.
      const { vms } = await world.sealift.vms('lon-1');
      const lineage = vms.find(({ vmName }) => vmName === 'refused')?.deed?.lineage ?? '';
      const key = `0x${writeKey({ lineage: lineage.slice(0, 4), token: 1, holder: 77 }).toString(16)}`;
      target.reserve(id, { key, nexus: 'iqn.2026-01.example:another 1' });
      await expect((await migrate(world, { vm: 'refused' })).result()).rejects.toMatchObject({ type: 'unknown-state' });
      target.forget();

      const mixed = await configOn(world.london, 'mixed', target.deviceOn('lon-1', id), ', "/dev/null,raw,xvdb,w"');
      const { concerns: those } = await world.sealift.inspect({ vm: 'mixed', host: 'lon-1' });
      expect(those.map(({ name }) => name)).toEqual(expect.arrayContaining(['lun-mixed', 'disk-shared']));
      await rm(mixed);
    },
    600_000,
  );
});

/** A configuration at rest on a host, with a LUN for its disk. */
async function configOn(at: TestHost, name: string, device: string, more = ''): Promise<string> {
  const { configPath } = await addLabVm(at.host.lab, {
    name,
    uuid: randomUUID(),
    memoryMib: 32,
    disks: [],
    autostart: false,
    extraConfig: `disk = [ "phy:${device},xvda,w"${more} ]`,
  });
  return configPath;
}

/** Ends a VM at the source, so that its LUN is free for another one. */
async function removeVm(name: string): Promise<void> {
  await xl(world.london, 'destroy', name);
  await rm(join(world.london.host.lab.etcFolder, `${name}.cfg`));
  await rm(join(world.london.host.lab.autoFolder, `${name}.cfg`), { force: true });
  target.forget();
}
