import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parseHostFile, printHostFile } from '../../domain/host-file.ts';
import { startSshd, sshdMissing } from '../../infra/lab/sshd.ts';
import type { LabSshd } from '../../infra/lab/sshd.ts';
import { expectMoved } from '../support/expect-moved.ts';
import { until } from '../support/until.ts';
import { impatient, makeWorld, MiB, migrate } from '../support/world.ts';
import type { TestHost, World } from '../support/world.ts';

const withSshd = sshdMissing === null ? describe : describe.skip;

withSshd(`workers beside their dom0s${sshdMissing === null ? '' : ` (skipped: ${sshdMissing})`}`, () => {
  let world: World;
  let folder: string;
  let london: LabSshd;
  let frankfurt: LabSshd;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sealift-beside-'));
    world = await makeWorld({ settings: impatient });
    london = await goBeside(world.london);
    frankfurt = await goBeside(world.frankfurt);
  }, 120_000);
  afterAll(async () => {
    await world.close();
    await london.stop();
    await frankfurt.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** From now on a host's worker enters its dom0 by SSH. */
  async function goBeside(at: TestHost): Promise<LabSshd> {
    const { lab, filePath, env } = at.host;
    const sshd = await startSshd({ ...lab.env, PATH: `${dirname(lab.xl)}:${env.PATH ?? ''}` });
    const { address, port, user, hostKey: host_key, privateKeyPath: private_key } = sshd;
    const file = parseHostFile(await readFile(filePath, 'utf8'), 'host.toml');
    const beside = {
      access: 'ssh',
      address,
      port,
      user,
      host_key,
      private_key,
      folder: join(world.folder, 'beside', file.name),
    } as const;
    await world.killWorker(at);
    await writeFile(filePath, printHostFile({ ...file, dom0: beside }));
    await world.startWorker(at);
    return sshd;
  }

  test('move a VM there and back', async () => {
    const vm = await world.makeVm('beside-1', { diskBytes: [9 * MiB + 512, 8 * MiB], noise: true });
    const receipt = await (await migrate(world, { vm: vm.name })).result();
    expect(receipt.body).toMatchObject({ method: 'sealed', plainBytes: 17 * MiB + 512 });
    await expectMoved(world, vm);
    await (await world.sealift.revert({ vm: vm.name, confirm: vm.name })).result();
  }, 120_000);

  test('keep its memory', async () => {
    const vm = await world.makeVm('beside-2', { diskBytes: [2 * MiB] });
    const receipt = await (await migrate(world, { vm: vm.name, keepMemory: true })).result();
    expect(receipt.body.memory).toBe('kept');
  }, 120_000);

  test('go on when both are cut off while disks are copied', async () => {
    const vm = await world.makeVm('beside-3', { diskBytes: [24 * MiB, 2 * MiB], noise: true });
    const move = await migrate(world, { vm: vm.name, limitBytesPerSecond: 4 * MiB });
    for (const sshd of [london, frankfurt]) {
      let seen = -1;
      await until(move, ({ verifiedBytes }) => {
        if (seen < 0) seen = verifiedBytes;
        return verifiedBytes > seen;
      });
      await sshd.kill();
      await sshd.start();
    }
    await move.result();
    await expectMoved(world, vm);
  }, 120_000);

  test('go on when they themselves are killed while disks are copied', async () => {
    const vm = await world.makeVm('beside-4', { diskBytes: [16 * MiB, 2 * MiB], noise: true });
    const move = await migrate(world, { vm: vm.name, limitBytesPerSecond: 4 * MiB });
    await until(move, ({ verifiedBytes }) => verifiedBytes > 0);
    for (const at of [world.london, world.frankfurt]) {
      await world.killWorker(at);
      await world.startWorker(at);
    }
    await move.result();
    await expectMoved(world, vm);
  }, 120_000);

  test('refuse a move where dom0 lacks what they work by', async () => {
    const vm = await world.makeVm('beside-5', { diskBytes: [2 * MiB] });
    const script = '#!/bin/sh\n[ "$1" = --version ] && echo "BusyBox" && exit\nexec /usr/bin/dd "$@"\n';
    await writeFile(join(folder, 'dd'), script, { mode: 0o755 });
    await writeFile(join(frankfurt.folder, '.bashrc'), `PATH=${folder}:$PATH\n`);
    const plan = await world.sealift.plan({ vm: vm.name, from: 'lon-1', to: 'fra-1' });
    expect(plan.concerns).toContainEqual(
      expect.objectContaining({ name: 'dom0-unready', text: 'the dom0 of fra-1 lacks GNU coreutils' }),
    );
  }, 120_000);
});
