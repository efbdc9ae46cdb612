import { randomUUID } from 'node:crypto';
import { lstat, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { addLabVm, rebootLabHost } from '../../infra/lab/lab-host.ts';
import { checkRecords } from '../../infra/lab/records.ts';
import { hasFile } from '../../storage/loop.ts';
import { attach, canLoop, detach, needsLoops, privateLoop } from '../support/loops.ts';
import { makeWorld, MiB, migrate, quick, verdict, xl } from '../support/world.ts';
import type { TestVm, World } from '../support/world.ts';

const rootTest = canLoop ? test : test.skip;
const devices: string[] = [];
let world: World;
beforeAll(async () => {
  if (canLoop) world = await makeWorld();
}, 120_000);
afterAll(async () => {
  if (!canLoop) return;
  await world.close();
  for (const device of devices) await detach(device);
}, 60_000);

/** A VM at the source whose data disk is a file by a loop device, running and adopted. */
async function makeVm(name: string): Promise<TestVm & { device: string; file: string }> {
  const { host } = world.london;
  const device = privateLoop();
  devices.push(device);
  const file = join(host.poolPath, `${name}-data.raw`);
  const system = join(host.poolPath, `${name}-system.raw`);
  await execa('truncate', ['--size', String(2 * MiB), file]);
  await attach(device, file);
  const vm = await addLabVm(host.lab, {
    name,
    uuid: randomUUID(),
    memoryMib: 32,
    disks: [{ path: system, vdev: 'xvda', sizeBytes: MiB }],
    autostart: true,
    extraConfig: `disk = [ "${system},raw,xvda,w", "phy:${device},xvdb,w" ]`,
  });
  await xl(world.london, 'create', vm.configPath);
  await world.sealift.adopt({ vm: name, host: host.name, by: 'test' });
  return { name, uuid: vm.uuid, dataPath: file, diskPaths: [system, file], device, file };
}

async function runs(at: World['london'], name: string): Promise<boolean> {
  return (await xl(at, 'domid', name)).exitCode === 0;
}

describe('a VM with a loop device', () => {
  rootTest(
    `moves away, stays fenced through a reboot, comes back, and is released after its last move ${needsLoops}`,
    async () => {
      const vm = await makeVm('looped');
      const plan = await world.sealift.plan({ vm: 'looped', from: 'lon-1', to: 'fra-1' });
      expect(plan.concerns.filter(({ severity }) => severity === 'refuses')).toEqual([]);
      const receipt = await (await migrate(world, { vm: 'looped' })).result();
      expect(receipt.body.disks.map(({ vdev, sizeBytes }) => [vdev, sizeBytes])).toEqual([
        ['xvda', MiB],
        ['xvdb', 2 * MiB],
      ]);
      expect(await runs(world.frankfurt, 'looped')).toBe(true);
      expect(await verdict(world, vm, world.frankfurt)).toEqual([]);

      // The source boots: nothing of the VM starts, and nobody gets the file writable by a device.
      await rebootLabHost(world.london.host.lab.root);
      expect(await runs(world.london, 'looped')).toBe(false);
      expect(await hasFile(vm.device, vm.file)).toBe(false);
      expect((await execa('losetup', [vm.device, vm.file], { reject: false })).failed).toBe(true);

      const back = await world.sealift.revert({ vm: 'looped', confirm: 'looped', timings: quick });
      await back.result();
      expect(await runs(world.london, 'looped')).toBe(true);
      expect(await hasFile(vm.device, vm.file)).toBe(true);
      expect(world.observer.doubles).toEqual([]);
      expect((await checkRecords(vm.file)).problems).toEqual([]);

      await (await migrate(world, { vm: 'looped' })).result();
      await (await world.sealift.finish({ vm: 'looped', by: 'test' })).result();
      const garbage = await world.sealift.garbage('lon-1');
      const copy = garbage.filter(({ kind, vmName }) => kind === 'released-copy' && vmName === 'looped');
      expect(copy).not.toEqual([]);
      await world.sealift.removeGarbage({ host: 'lon-1', ids: copy.map(({ id }) => id), by: 'test' });
      await expect(lstat(vm.file)).rejects.toMatchObject({ code: 'ENOENT' });
      expect(await runs(world.frankfurt, 'looped')).toBe(true);
    },
    240_000,
  );

  rootTest(
    `runs on by its device after a move that was given up ${needsLoops}`,
    async () => {
      const vm = await makeVm('given-up');
      const move = await migrate(world, { vm: 'given-up', limitBytesPerSecond: 1 });
      for await (const at of move.progress({ intervalMs: 50 })) if (at.phase === 'move') break;
      expect(await hasFile(vm.device, vm.file)).toBe(false);
      await move.abort();
      await expect(move.result()).rejects.toMatchObject({ type: 'cancelled' });
      expect(await runs(world.london, 'given-up')).toBe(true);
      expect(await hasFile(vm.device, vm.file)).toBe(true);
      expect((await checkRecords(vm.file)).problems).toEqual([]);
    },
    180_000,
  );

  rootTest(
    `of another kind is refused by the plan, which says why ${needsLoops}`,
    async () => {
      const node = join(world.folder, 'ram');
      await execa('mknod', [node, 'b', '1', '0']);
      const disks = [{ path: node, vdev: 'xvda', sizeBytes: MiB }];
      await addLabVm(world.london.host.lab, { name: 'on-device', memoryMib: 32, disks });
      await world.sealift.adopt({ vm: 'on-device', host: 'lon-1', by: 'test' });
      const plan = await world.sealift.plan({ vm: 'on-device', from: 'lon-1', to: 'fra-1' });
      expect(plan.concerns.filter(({ severity }) => severity === 'refuses')).toEqual([
        expect.objectContaining({
          name: 'fence-failed',
          text: expect.stringMatching(
            /^disk xvda: it is a block device that is no loop device, no logical volume and no LUN of iSCSI, .*cannot be fenced$/,
          ),
        }),
      ]);
      await rm(node);
    },
    120_000,
  );
});
