import { mkdir, mkdtemp, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Client } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { openConnection } from '../../client/connect.ts';
import { hostTaskQueue } from '../../domain/migration.ts';
import { clearFaults, setFault } from '../../infra/lab/lab-host.ts';
import { labPlaces } from '../../infra/lab/places.ts';
import { checkRecords } from '../../infra/lab/records.ts';
import { startSshd, sshdMissing } from '../../infra/lab/sshd.ts';
import { expectMoved, expectUnmoved } from '../support/expect-moved.ts';
import { troubles, until, untilPast } from '../support/until.ts';
import { useWorld } from '../support/use-world.ts';
import { dataDiskAt, impatient, makeWorld, MiB, migrate, quick, xl } from '../support/world.ts';
import type { TestHost, TestVm, World } from '../support/world.ts';

/** How often the guest has booted, by its own records: a restored one goes on in the boot that it was saved in. */
async function bootsOf(world: World, vm: TestVm, at: TestHost): Promise<number | undefined> {
  return (await checkRecords(await dataDiskAt(world, at, vm))).boots.at(-1)?.boot;
}

async function lastRecord(path: string): Promise<number> {
  return (await checkRecords(path)).last;
}

/** The guest writes on. */
async function expectAlive(world: World, vm: TestVm, at: TestHost): Promise<void> {
  const path = await dataDiskAt(world, at, vm);
  const before = await lastRecord(path);
  for (const end = Date.now() + 20_000; Date.now() < end;) if ((await lastRecord(path)) > before) return;
  throw new Error(`${vm.name} writes nothing on ${at.host.name}`);
}

/** The files in the private folders of images whose path names a VM, at a destination, or a migration, at its source. */
async function images(at: TestHost, of = ''): Promise<string[]> {
  const files = await readdir(join(dirname(at.host.filePath), 'state', 'memory'), {
    recursive: true,
    withFileTypes: true,
  });
  return files
    .filter((file) => file.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .filter((path) => path.includes(of));
}

describe('a move that keeps memory', () => {
  const world = useWorld({ settings: impatient });
  afterEach(() => {
    for (const { host } of world.up.hosts) clearFaults(host.lab.root);
  });
  const keeping = { keepMemory: true };

  test('brings the guest over as it was; its image is private, and gone where it was used', async () => {
    const vm = await world.makeVm('kept');
    const probe = { console: 'writes from record' };
    const { body } = await (await migrate(world, { vm: vm.name, ...keeping, probe })).result();
    await expectMoved(world, vm);
    await expectAlive(world, vm, world.frankfurt);
    expect(body.probe).toContainEqual({ check: 'console "writes from record"', passed: true, detail: 'was seen' });
    expect(await bootsOf(world, vm, world.frankfurt)).toBe(1);
    expect(body).toMatchObject({ memory: 'kept', disks: [{ vdev: 'xvda' }, { vdev: 'xvdb' }, { vdev: 'memory' }] });
    expect(await images(world.frankfurt)).toEqual([]);
    const [image, ...others] = (await images(world.london)).filter((path) => path.endsWith('.raw'));
    expect(others).toEqual([]);
    expect((await stat(image ?? '')).mode & 0o077).toBe(0);
    expect(JSON.stringify(await world.sealift.inspect({ vm: vm.name, host: 'fra-1' }))).not.toContain('memory.raw');

    await (await world.sealift.finish({ vm: vm.name, by: 'test' })).result();
    expect(await images(world.london)).toEqual([]);
    const garbage = [...(await world.sealift.garbage('lon-1')), ...(await world.sealift.garbage('fra-1'))];
    expect(garbage.map(({ kind }) => kind)).toEqual(['released-copy']);
    expect(
      (await world.sealift.removeGarbage({ host: 'lon-1', ids: garbage.map(({ id }) => id), by: 'test' })).refused,
    ).toEqual([]);
  });

  test('goes back with the memory that it left with', async () => {
    const vm = await world.makeVm('reverted');
    await (await migrate(world, { vm: vm.name, ...keeping })).result();
    await expectAlive(world, vm, world.frankfurt);
    await (await world.sealift.revert({ vm: vm.name, confirm: vm.name, timings: quick })).result();
    await expectUnmoved(world, vm);
    await expectAlive(world, vm, world.london);
    expect(await bootsOf(world, vm, world.london)).toBe(1);
    expect(await images(world.london)).toEqual([]);
    // And away again, and there again by the usual way: nothing of the first move is in the way.
    await (await migrate(world, { vm: vm.name, ...keeping })).result();
    await expectMoved(world, vm);
    expect(await bootsOf(world, vm, world.frankfurt)).toBe(1);
  });

  test('that is aborted before the cede gives the guest its memory back', async () => {
    const vm = await world.makeVm('aborted', { diskBytes: [16 * MiB, 2 * MiB], noise: true });
    const move = await migrate(world, { vm: vm.name, ...keeping, limitBytesPerSecond: 3 * MiB });
    await until(move, (at) => at.verifiedBytes > 0);
    expect(await move.abort()).toEqual({ outcome: 'aborted', restarted: true });
    await expect(move.result()).rejects.toMatchObject({ type: 'cancelled' });
    await expectUnmoved(world, vm);
    await expectAlive(world, vm, world.london);
    expect(await bootsOf(world, vm, world.london)).toBe(1);
    expect(await images(world.london, (await move.status()).migrationId)).toEqual([]);
  });

  test.each([
    ['the worker is killed while xl restores', { hang: 'restore', hangMs: 4_000 }, 'kept', 1],
    ['xl restore is killed half way', { killInMiddle: 'restore' }, 'kept', 1],
    ['xl unpause fails', { refuse: 'unpause' }, 'kept', 1],
    ['xl restore fails three times', { refuse: 'restore', times: 3 }, 'lost', 2],
  ] as const)('at the destination, %s', async (what, fault, memory, boots) => {
    const vm = await world.makeVm(`there-${String(what.length)}`);
    setFault(world.frankfurt.host.lab.root, { times: 1, ...fault, vm: vm.name });
    const move = await migrate(world, { vm: vm.name, ...keeping });
    if ('hang' in fault) {
      await untilPast(move, 'start');
      await world.killWorker(world.frankfurt);
      await world.startWorker(world.frankfurt);
    }
    expect((await move.result()).body.memory).toBe(memory);
    await expectMoved(world, vm);
    await expectAlive(world, vm, world.frankfurt);
    expect(await bootsOf(world, vm, world.frankfurt)).toBe(boots);
    expect(await images(world.frankfurt, `/${vm.name}.`)).toEqual([]);
  });

  test('is never restored twice: a start that is repeated boots a guest that has run', async () => {
    const vm = await world.makeVm('once');
    const { migrationId } = (await (await migrate(world, { vm: vm.name, ...keeping })).result()).body;
    await expectAlive(world, vm, world.frankfurt);
    await xl(world.frankfurt, 'destroy', vm.name);
    const { address } = world.up.server;
    const connection = await openConnection({ address, namespace: 'default', connectionOptions: { address } });
    const again: unknown = await new Client({ connection }).activity.execute('startVm', {
      id: 'again/startVm',
      taskQueue: hostTaskQueue('fra-1'),
      args: [{ migrationId, start: true }],
      scheduleToCloseTimeout: 60_000,
    });
    await connection.close();
    expect(again).toMatchObject({ started: true, memory: 'lost' });
    await expectMoved(world, vm);
    expect(await bootsOf(world, vm, world.frankfurt)).toBe(2);
  });

  test('is not restored again either when the guest ran, wrote nothing and is gone, and the worker died meanwhile', async () => {
    const vm = await world.makeVm('silent', { extraConfig: 'extra = "records_ms=3600000"' });
    setFault(world.frankfurt.host.lab.root, { hang: 'unpause', hangMs: 4_000, vm: vm.name, times: 1 });
    const move = await migrate(world, { vm: vm.name, ...keeping, probe: { diskWrites: false } });
    const state = async (): Promise<string> => (await xl(world.frankfurt, 'list', vm.name)).stdout;
    // The fault is used up when xl begins to unpause it.
    const { faultsFile } = labPlaces(world.frankfurt.host.lab.root);
    while ((await readFile(faultsFile, 'utf8')).includes('unpause')) await untilPast(move, 'survey');
    await world.killWorker(world.frankfurt);
    while (!(await state()).includes('-b----'));
    await xl(world.frankfurt, 'destroy', vm.name);
    expect(await images(world.frankfurt, `/${vm.name}.`)).not.toEqual([]);
    await world.startWorker(world.frankfurt);
    expect((await move.result()).body.memory).toBe('lost');
    await expectMoved(world, vm);
    expect(await bootsOf(world, vm, world.frankfurt)).toBe(2);
  });

  test('whose disks were written after the save gives the memory up, and not the disks', async () => {
    const vm = await world.makeVm('written');
    const held = await open(vm.diskPaths[0] ?? '', 'r');
    const move = await migrate(world, { vm: vm.name, ...keeping });
    await until(move, (at) => troubles(at).includes('held open'));
    await world.killWorker(world.london);
    await xl(world.london, 'create', join(world.london.host.lab.etcFolder, `${vm.name}.cfg`));
    const before = await lastRecord(vm.dataPath);
    for (const end = Date.now() + 20_000; Date.now() < end && (await lastRecord(vm.dataPath)) <= before;);
    await xl(world.london, 'destroy', vm.name);
    await held.close();
    await world.startWorker(world.london);
    expect((await move.result()).body.memory).toBe('lost');
    await expectMoved(world, vm);
    expect(await bootsOf(world, vm, world.frankfurt)).toBe(3);
  });

  test('at the source, the worker is killed while xl saves: the guest runs on for a moment and is saved again', async () => {
    const vm = await world.makeVm('saves');
    setFault(world.london.host.lab.root, { hang: 'save', hangMs: 4_000, vm: vm.name, times: 1 });
    const move = await migrate(world, { vm: vm.name, ...keeping });
    await untilPast(move, 'stop');
    await world.killWorker(world.london);
    await world.startWorker(world.london);
    expect((await move.result()).body.memory).toBe('kept');
    await expectMoved(world, vm);
    expect(await bootsOf(world, vm, world.frankfurt)).toBe(1);
  });

  test('goes back before it ran with its memory; the image that was not used is garbage', async () => {
    const vm = await world.makeVm('unused');
    setFault(world.frankfurt.host.lab.root, { refuse: 'create', vm: vm.name });
    setFault(world.frankfurt.host.lab.root, { refuse: 'restore', vm: vm.name });
    const move = await migrate(world, { vm: vm.name, ...keeping });
    await until(move, (at) => at.status.waits.some((line) => line.includes('could not start')));
    await (await world.sealift.revert({ vm: vm.name, confirm: vm.name, timings: quick })).result();
    await expectUnmoved(world, vm);
    await expectAlive(world, vm, world.london);
    expect(await bootsOf(world, vm, world.london)).toBe(1);
    const items = (await world.sealift.garbage('fra-1')).filter(({ vmName }) => vmName === vm.name);
    expect(items.map(({ kind }) => kind).sort()).toEqual(['memory', 'returned-copy']);
    expect(await images(world.frankfurt, `/${vm.name}.`)).not.toEqual([]);
    const ids = items.filter(({ kind }) => kind === 'memory').map(({ id }) => id);
    expect(await world.sealift.removeGarbage({ host: 'fra-1', ids, by: 'test' })).toMatchObject({ refused: [] });
    expect(await images(world.frankfurt, `/${vm.name}.`)).toEqual([]);
  });

  describe('whose guest cannot be saved', () => {
    test('leaves it running by --on-stuck-guest abort', async () => {
      const vm = await world.makeVm('unsaved');
      setFault(world.london.host.lab.root, { refuse: 'save', vm: vm.name });
      const move = await migrate(world, { vm: vm.name, ...keeping, onStuckGuest: 'abort' });
      await expect(move.result()).rejects.toMatchObject({
        type: 'guest-stuck',
        message: expect.stringContaining('could not be saved'),
      });
      await expectUnmoved(world, vm);
      expect(await bootsOf(world, vm, world.london)).toBe(1);
    });

    test('because xl was killed in it is started anew where it was', async () => {
      const vm = await world.makeVm('half-saved');
      setFault(world.london.host.lab.root, { killInMiddle: 'save', vm: vm.name });
      const move = await migrate(world, { vm: vm.name, ...keeping, onStuckGuest: 'abort' });
      await expect(move.result()).rejects.toMatchObject({ type: 'guest-stuck' });
      await expectUnmoved(world, vm);
      expect(await bootsOf(world, vm, world.london)).toBe(2);
    });

    test('loses its memory by --on-stuck-guest destroy', async () => {
      const vm = await world.makeVm('unplugged');
      setFault(world.london.host.lab.root, { refuse: 'save', vm: vm.name });
      const move = await migrate(world, { vm: vm.name, ...keeping, onStuckGuest: 'destroy' });
      expect((await move.result()).body.memory).toBe('lost');
      await expectMoved(world, vm);
      expect(await bootsOf(world, vm, world.frankfurt)).toBe(2);
    });
  });

  test('is refused where it cannot work', async () => {
    const refusals = async (vm: TestVm): Promise<string[]> => {
      const plan = await world.sealift.plan({ vm: vm.name, from: 'lon-1', to: 'fra-1', ...keeping });
      expect(plan.keepMemory).toBe(true);
      return plan.concerns.filter(({ severity }) => severity === 'refuses').map(({ name }) => name);
    };
    const off = await world.makeVm('off', { start: false });
    expect(await refusals(off)).toEqual(['memory-not-running']);
    const stays = await world.makeVm('stays', { extraConfig: 'nomigrate = 1' });
    expect(await refusals(stays)).toEqual(['memory-unmovable']);
    await expect((await migrate(world, { vm: stays.name, ...keeping })).result()).rejects.toMatchObject({
      type: 'preflight-refused',
    });
    await expectUnmoved(world, stays);
    expect(await refusals(await world.makeVm('fits'))).toEqual([]);
  });
});

const withSshd = sshdMissing === null ? describe : describe.skip;

withSshd(`a staged move that keeps memory${sshdMissing === null ? '' : ` (skipped: ${sshdMissing})`}`, () => {
  let world: World;
  let end: () => Promise<void>;

  beforeAll(async () => {
    const sshd = await startSshd();
    const folder = await mkdtemp(join(tmpdir(), 'sealift-staged-memory-'));
    const [arrived, made] = [join(folder, 'arrived'), join(folder, 'made')];
    for (const path of [arrived, made]) await mkdir(path, { mode: 0o700 });
    const { address, port, user, hostKey, privateKeyPath } = sshd;
    const staging = { folder: arrived, address, port, user, host_key: hostKey };
    world = await makeWorld({ settings: { staging, ssh: { folder: made, private_key: privateKeyPath } } });
    end = async () => {
      await world.close();
      await sshd.stop();
      await rm(folder, { recursive: true, force: true });
    };
  });
  afterAll(() => end());

  test('brings the guest over as it was', async () => {
    const vm = await world.makeVm('staged');
    const move = await migrate(world, { vm: vm.name, method: 'staged', keepMemory: true });
    expect((await move.result()).body.memory).toBe('kept');
    await expectMoved(world, vm);
    await expectAlive(world, vm, world.frankfurt);
    expect(await bootsOf(world, vm, world.frankfurt)).toBe(1);
  });
});
