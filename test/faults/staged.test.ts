import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { parseHostFile, printHostFile } from '../../domain/host-file.ts';
import type { ContainerServer } from '../../domain/host-file.ts';
import { expectMoved, expectUnmoved } from '../support/expect-moved.ts';
import { startSshd, sshdMissing } from '../../infra/lab/sshd.ts';
import type { LabSshd } from '../../infra/lab/sshd.ts';
import { canMount, needsRoot } from '../storage/support.ts';
import { troubles, until } from '../support/until.ts';
import { makeWorld, MiB, migrate, xl } from '../support/world.ts';
import type { World } from '../support/world.ts';

const withSshd = sshdMissing === null ? describe : describe.skip;

withSshd(`a staged move${sshdMissing === null ? '' : ` (skipped: ${sshdMissing})`}`, () => {
  let world: World;
  let sshd: LabSshd;
  let folder: string;
  let arrived: string;

  beforeAll(async () => {
    sshd = await startSshd();
    folder = await mkdtemp(join(tmpdir(), 'sealift-staged-'));
    arrived = join(folder, 'arrived');
    const made = join(folder, 'made');
    for (const path of [arrived, made]) await mkdir(path, { mode: 0o700 });
    const { address, port, user, hostKey, privateKeyPath } = sshd;
    world = await makeWorld({
      settings: {
        staging: { folder: arrived, address, port, user, host_key: hostKey },
        ssh: { folder: made, private_key: privateKeyPath },
      },
    });
  });
  afterAll(async () => {
    await world.close();
    await sshd.stop();
    await rm(folder, { recursive: true, force: true });
  });

  test('goes nowhere but to the server that the source has pinned', async () => {
    await world.makeVm('staged-0');
    const plan = async (): Promise<string[]> =>
      (await world.sealift.plan({ vm: 'staged-0', from: 'lon-1', to: 'fra-1', method: 'staged' })).concerns
        .filter(({ severity }) => severity === 'refuses')
        .map(({ name, text }) => `${name}: ${text}`);
    expect(await plan()).toEqual([]);
    const { filePath } = world.london.host;
    const file = parseHostFile(await readFile(filePath, 'utf8'), 'host.toml');
    const pinning = async (ssh: ContainerServer | undefined): Promise<void> => {
      await world.killWorker(world.london);
      const peer = file.peer.map(({ name, identity }) => ({ name, identity, ...(ssh === undefined ? {} : { ssh }) }));
      await writeFile(filePath, printHostFile({ ...file, peer }));
      await world.startWorker(world.london);
    };
    await pinning(undefined);
    expect(await plan()).toEqual(['staged-unready: lon-1 has no ssh of fra-1 in its file']);
    const { address, port, user } = sshd;
    // As the destination's card looks when Temporal lies about it.
    await pinning({ address, port, user, folder: join(folder, 'elsewhere'), host_key: 'ssh-ed25519 AAAA' });
    const line = 'fra-1 takes containers with another folder and host key than lon-1 has pinned for it';
    expect(await plan()).toEqual([`staged-unready: ${line}`]);
    const move = await migrate(world, { vm: 'staged-0', method: 'staged' });
    await expect(move.result()).rejects.toMatchObject({
      type: 'preflight-refused',
      message: expect.stringContaining(line),
    });
    expect((await xl(world.london, 'domid', 'staged-0')).exitCode).toBe(0);
    await pinning(file.peer[0]?.ssh);
    expect(await plan()).toEqual([]);
  }, 120_000);

  test('seals, copies, opens and starts; its files become garbage that goes only on request', async () => {
    const vm = await world.makeVm('staged-1', { diskBytes: [9 * MiB + 512, 8 * MiB], noise: true });
    const receipt = await (await migrate(world, { vm: vm.name, method: 'staged' })).result();
    expect(receipt.body).toMatchObject({ method: 'staged', plainBytes: 17 * MiB + 512 });
    await expectMoved(world, vm);
    for (const host of ['lon-1', 'fra-1']) {
      const containers = (await world.sealift.garbage(host)).filter(({ kind }) => kind === 'container');
      expect(containers).toHaveLength(1);
      await world.sealift.removeGarbage({ host, ids: containers.map(({ id }) => id), by: 'test' });
    }
    expect(await readdir(arrived)).toEqual([]);
  });

  test('goes on when the SSH server and the source worker are killed while the file is copied', async () => {
    const vm = await world.makeVm('staged-2', { diskBytes: [16 * MiB, 2 * MiB], noise: true });
    const move = await migrate(world, { vm: vm.name, method: 'staged', limitBytesPerSecond: 3 * MiB });
    await until(move, (at) => at.transfer?.step === 'send');
    await sshd.kill();
    await world.killWorker(world.london);
    await sshd.start();
    await world.startWorker(world.london);
    await move.result();
    await expectMoved(world, vm);
  });

  const mounting = canMount ? test : test.skip;
  mounting(`says that the SSH server's disk is full, and goes on when there is space ${needsRoot}`, async () => {
    const vm = await world.makeVm('staged-full', { diskBytes: [24 * MiB, 2 * MiB], noise: true });
    await execa('mount', ['-t', 'tmpfs', '-o', 'size=12m,mode=0700', 'none', arrived]);
    try {
      const move = await migrate(world, { vm: vm.name, method: 'staged' });
      await until(move, (at) => troubles(at).includes('no space for …/'));
      await execa('mount', ['-o', 'remount,size=64m', arrived]);
      await move.result();
      await expectMoved(world, vm);
    } finally {
      await execa('umount', ['--lazy', arrived]);
    }
  });

  test('is undone when the file was changed on the way, with the VM running where it was', async () => {
    const vm = await world.makeVm('staged-3', { diskBytes: [8 * MiB, 2 * MiB], noise: true });
    const move = await migrate(world, { vm: vm.name, method: 'staged', limitBytesPerSecond: 3 * MiB });
    await until(move, (at) => at.transfer?.step === 'send');
    // From here on Frankfurt is not asked for anything but to open the file, after all of it was sent.
    await world.killWorker(world.frankfurt);
    await until(move, (at) => at.status.waits.some((line) => line.includes('fra-1 is away')));
    // Files of other tests' moves lie there too.
    const { migrationId } = await move.status();
    const file = (await readdir(arrived)).find((name) => name.includes(migrationId));
    const path = join(arrived, file ?? '');
    const bytes = await readFile(path);
    expect(bytes.length).toBeGreaterThan(10 * MiB);
    bytes.writeUInt8(bytes.readUInt8(4 * MiB) ^ 1, 4 * MiB);
    await writeFile(path, bytes);
    await world.startWorker(world.frankfurt);
    await expect(move.result()).rejects.toMatchObject({ type: 'bad-container' });
    await expectUnmoved(world, vm);
  });
});
