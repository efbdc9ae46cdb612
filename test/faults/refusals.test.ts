import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, test } from '@jest/globals';
import { parseHostFile, printHostFile } from '../../domain/host-file.ts';
import { addLabVm } from '../../infra/lab/lab-host.ts';
import { until } from '../support/until.ts';
import { useWorld } from '../support/use-world.ts';
import { changeHostFile, MiB, migrate, xl } from '../support/world.ts';
import type { TestVm } from '../support/world.ts';

const world = useWorld();

/** The names of what refuses a plan, and that the VM runs on as before. */
async function refusals(vm: string): Promise<string[]> {
  const plan = await world.sealift.plan({ vm, from: 'lon-1', to: 'fra-1' });
  return plan.concerns.filter(({ severity }) => severity === 'refuses').map(({ name }) => name);
}

/** A VM that is not started, with one disk of that access. */
async function addDisk(name: string, access: 'w' | 'w!' | 'r'): Promise<TestVm> {
  const vm = await world.makeVm(name, { diskBytes: [MiB], start: false });
  const path = join(world.london.host.lab.etcFolder, `${name}.cfg`);
  await writeFile(path, (await readFile(path, 'utf8')).replace(',raw,xvda,w', `,raw,xvda,${access}`));
  return vm;
}

describe('a move is refused before anything is changed', () => {
  test('unknown VM and unknown host', async () => {
    await world.makeVm('known');
    await expect(migrate(world, { vm: 'nobody' })).rejects.toMatchObject({ type: 'unknown-vm' });
    await expect(migrate(world, { vm: 'known', to: 'nowhere' })).rejects.toMatchObject({ type: 'unknown-host' });
  });

  test('a VM that is not adopted', async () => {
    await world.makeVm('orphan', { adopt: false });
    expect(await refusals('orphan')).toEqual(['not-adopted']);
    await expect((await migrate(world, { vm: 'orphan' })).result()).rejects.toMatchObject({ type: 'not-adopted' });
    expect((await xl(world.london, 'list')).stdout).toContain('orphan');
  });

  test('the name or the uuid is in use at the destination', async () => {
    const vm = await world.makeVm('twin');
    await addLabVm(world.frankfurt.host.lab, { name: 'twin', memoryMib: 32, disks: [] });
    expect(await refusals('twin')).toContain('name-taken');
    await rm(join(world.frankfurt.host.lab.etcFolder, 'twin.cfg'));
    await addLabVm(world.frankfurt.host.lab, { name: 'other', uuid: vm.uuid, memoryMib: 32, disks: [] });
    expect(await refusals('twin')).toContain('name-taken');
    await rm(join(world.frankfurt.host.lab.etcFolder, 'other.cfg'));
    expect(await refusals('twin')).toEqual([]);
  });

  test('there is not enough space', async () => {
    await world.makeVm('huge', { diskBytes: [1024 * 1024 * MiB * 8, MiB], start: false });
    expect(await refusals('huge')).toEqual(['no-space']);
  });

  test('a disk is missing, or holds a qcow2 image given as raw', async () => {
    const vm = await world.makeVm('broken', { start: false });
    await writeFile(vm.diskPaths[0] ?? '', Buffer.from('514649fb00000003', 'hex'), { flag: 'r+' });
    expect(await refusals('broken')).toContain('disk-format');
    await rm(vm.diskPaths[0] ?? '');
    expect(await refusals('broken')).toContain('disk-missing');
  });

  test('two VMs use one disk', async () => {
    const vm = await world.makeVm('share-a', { start: false });
    await addLabVm(world.london.host.lab, {
      name: 'share-b',
      memoryMib: 32,
      disks: [{ path: vm.diskPaths[0] ?? '', vdev: 'xvda', sizeBytes: MiB }],
    });
    expect(await refusals('share-a')).toContain('disk-shared');
    await rm(join(world.london.host.lab.etcFolder, 'share-b.cfg'));
  });

  test('a disk is shared, read-only or no disk', async () => {
    await addDisk('shared', 'w!');
    expect(await refusals('shared')).toContain('disk-shared');
    await addDisk('readonly', 'r');
    expect(await refusals('readonly')).toContain('disk-read-only');
    const vm = await addDisk('folder', 'w');
    await rm(vm.diskPaths[0] ?? '');
    await mkdir(vm.diskPaths[0] ?? '');
    expect(await refusals('folder')).toContain('disk-unreadable');
  });

  test('a second move of the same VM while one is open', async () => {
    await world.makeVm('busy');
    const move = await migrate(world, { vm: 'busy', cutover: 'approve' });
    await until(move, (at) => at.phase === 'waits');
    await expect(migrate(world, { vm: 'busy' })).rejects.toMatchObject({ type: 'already-migrating' });
    await move.abort();
    await expect(move.result()).rejects.toMatchObject({ type: 'cancelled' });
    expect((await xl(world.london, 'list')).stdout).toContain('busy');
  });

  test('a configuration that does not parse is named with line and column, and hides no other VM', async () => {
    await writeFile(join(world.london.host.lab.etcFolder, 'bad.cfg'), 'name = "bad"\nmemory = \n');
    const { vms } = await world.sealift.vms('lon-1');
    expect(
      vms.find(({ vmName, problem }) => vmName === 'bad' || (problem?.includes('bad.cfg') ?? false))?.problem,
    ).toMatch(/2:\d+/);
    await rm(join(world.london.host.lab.etcFolder, 'bad.cfg'));
  });

  test('a peer whose identity is not the pinned one', async () => {
    await world.makeVm('pinned');
    const stranger = `ed25519:${Buffer.alloc(32, 7).toString('base64url')}`;
    const peer = [{ name: 'lon-1', identity: stranger }];
    const before = await changeHostFile(world, world.frankfurt, (file) => ({ ...file, peer }));
    expect(await refusals('pinned')).toContain('unknown-peer');
    await changeHostFile(world, world.frankfurt, () => before);
  });

  test('a host whose worker is away is told as such, and waited for once the move is open', async () => {
    await world.makeVm('patient');
    const move = await migrate(world, { vm: 'patient', cutover: 'approve' });
    await until(move, (at) => at.phase === 'waits');
    await world.killWorker(world.london);
    await expect(world.sealift.plan({ vm: 'patient', from: 'lon-1', to: 'fra-1' })).rejects.toMatchObject({
      type: 'host-away',
    });
    await move.approve({ by: 'test' });
    await until(move, (at) => at.status.waits.some((line) => line.includes('lon-1 is away')));
    await world.startWorker(world.london);
    await move.result();
  });
});

describe('a host worker does not start', () => {
  test('twice on the same state, on a copied state, or on a taken port', async () => {
    const { host } = world.london;
    expect(await startWorker(host.filePath, host.env)).toMatchObject({
      exitCode: 3,
      stderr: expect.stringContaining('[state-locked]'),
    });

    const file = parseHostFile(await readFile(host.filePath, 'utf8'), 'host.toml');
    const copy = join(world.folder, 'copy');
    await cp(file.state, copy, { recursive: true, filter: (path) => !path.endsWith('.sock') });
    const copied = join(world.folder, 'copied.toml');
    await writeFile(copied, printHostFile({ ...file, state: copy }));
    expect(await startWorker(copied, host.env)).toMatchObject({
      exitCode: 3,
      stderr: expect.stringContaining('[copied-host]'),
    });

    const taken = createServer();
    await new Promise<void>((done) => taken.listen(0, '127.0.0.1', done));
    const address = taken.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    await world.killWorker(world.london);
    const clash = join(world.folder, 'clash.toml');
    await writeFile(clash, printHostFile({ ...file, landing: { address: '127.0.0.1', port } }));
    expect(await startWorker(clash, host.env)).toMatchObject({
      exitCode: 3,
      stderr: expect.stringContaining('[port-taken]'),
    });
    taken.close();
    await world.startWorker(world.london);
  });

  test('while Temporal is away, and says so', async () => {
    await world.killWorker(world.london);
    const away = await startWorker(world.london.host.filePath, {
      ...world.london.host.env,
      TEMPORAL_ADDRESS: '127.0.0.1:1',
    });
    expect(away).toMatchObject({ exitCode: 5, stderr: expect.stringContaining('[temporal-away]') });
    await world.startWorker(world.london);
  });
});

test('Ctrl-C in migrate leaves the move running and says how to rejoin', async () => {
  const vm = await world.makeVm('ctrl-c', { diskBytes: [16 * MiB, MiB], noise: true });
  const run = execa(process.execPath, ['cli/sealift.ts', 'migrate', 'ctrl-c', '--to', 'fra-1', '--limit', '3M'], {
    env: { TEMPORAL_ADDRESS: world.up.server.address },
    reject: false,
  });
  const move = await (async () => {
    for (;;) {
      const found = await world.sealift.handle('ctrl-c').catch(() => null);
      if (found !== null) return found;
    }
  })();
  await until(move, (at) => at.verifiedBytes > 0);
  run.kill('SIGINT');
  const { exitCode, stdout, stderr } = await run;
  expect(exitCode).toBe(130);
  expect(stdout + stderr).toContain('sealift watch ctrl-c');
  await move.result();
  expect((await xl(world.frankfurt, 'list')).stdout).toContain(vm.name);
});

async function startWorker(
  filePath: string,
  env: Record<string, string>,
): Promise<{ exitCode: number | undefined; stderr: string }> {
  const { exitCode, stderr } = await execa(process.execPath, ['workers/host.ts', filePath], {
    env: { TEMPORAL_ADDRESS: world.up.server.address, ...env, SEALIFT_STOP_WITH_STDIN: '' },
    stdin: 'ignore',
    reject: false,
    timeout: 60_000,
  });
  return { exitCode, stderr };
}
