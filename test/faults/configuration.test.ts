import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parseHostFile, printHostFile } from '../../domain/host-file.ts';
import type { HostFile } from '../../domain/host-file.ts';
import { addLabVm, makeLabHost } from '../../infra/lab/lab-host.ts';
import { useWorld } from '../support/use-world.ts';
import { migrate, xl } from '../support/world.ts';

const world = useWorld();

/** Starts the destination's worker anew with other maps and another policy. */
async function destinationWith(xen: Partial<HostFile['xen']>): Promise<void> {
  const { filePath } = world.frankfurt.host;
  const file = parseHostFile(await readFile(filePath, 'utf8'), 'host.toml');
  await world.killWorker(world.frankfurt);
  await writeFile(filePath, printHostFile({ ...file, xen: { ...file.xen, ...xen } }));
  await world.startWorker(world.frankfurt);
}

/** The domain's number: a VM that was stopped and brought back would have another. */
async function domid(vm: string): Promise<string> {
  return (await xl(world.london, 'domid', vm)).stdout;
}

/** The plan and the move both refuse with the line, and the VM runs on as the domain that it was. */
async function refusedAlike(vm: string, name: string, line: string): Promise<void> {
  const before = await domid(vm);
  expect(before).toMatch(/^\d+$/);
  const plan = await world.sealift.plan({ vm, from: 'lon-1', to: 'fra-1' });
  const refusals = plan.concerns.filter(({ severity }) => severity === 'refuses');
  expect(refusals).toEqual([expect.objectContaining({ name, text: line })]);
  const move = await migrate(world, { vm });
  await expect(move.result()).rejects.toMatchObject({
    type: 'preflight-refused',
    message: expect.stringContaining(line),
    hint: expect.stringContaining('nothing was stopped or copied'),
  });
  expect(await domid(vm)).toBe(before);
}

describe('a configuration that the destination would not run is refused before the VM is stopped', () => {
  test('a bridge that is not in its map, or not there, until it is', async () => {
    await world.makeVm('bridged');
    await destinationWith({ default_bridge: undefined });
    await refusedAlike('bridged', 'bridge-unmapped', 'vif 0 is on a bridge that this host does not map');
    await destinationWith({ bridges: { xenbr0: 'br-dmz' } });
    await refusedAlike('bridged', 'bridge-missing', 'vif 0 would be on the bridge br-dmz, which is not on fra-1');
    await mkdir(join(world.frankfurt.host.lab.netFolder, 'br-dmz'));
    const plan = await world.sealift.plan({ vm: 'bridged', from: 'lon-1', to: 'fra-1' });
    expect(plan.concerns).toContainEqual(
      expect.objectContaining({ name: 'config-change', severity: 'note', text: 'vif 0: bridge xenbr0 → br-dmz' }),
    );
    const receipt = await (await migrate(world, { vm: 'bridged' })).result();
    expect(receipt.body.changes).toContain('vif 0: bridge xenbr0 → br-dmz');
  }, 180_000);

  test('a kernel that it does not map, or maps to a file that is not there', async () => {
    const kernel = join(world.folder, 'vmlinuz-there');
    await world.makeVm('kernelled', { extraConfig: `type = "pvh"\nkernel = "/boot/vmlinuz-here"` });
    await refusedAlike('kernelled', 'unmapped-file', 'kernel names a file that this host does not map');
    await destinationWith({ paths: { '/boot/vmlinuz-here': kernel } });
    await refusedAlike('kernelled', 'dom0-file-missing', 'kernel leads to a file that is not on fra-1');
    await writeFile(kernel, '');
    await (await migrate(world, { vm: 'kernelled' })).result();
    expect((await xl(world.frankfurt, 'domid', 'kernelled')).exitCode).toBe(0);
  }, 180_000);

  test('a MAC address that a VM of the destination has, and memory that it does not have', async () => {
    const { uuid } = await world.makeVm('neighbour');
    const { lab } = world.frankfurt.host;
    const mac = /mac=([^,]*)/.exec(await readFile(join(world.london.host.lab.etcFolder, 'neighbour.cfg'), 'utf8'))?.[1];
    const twin = await addLabVm(lab, { name: 'twin', memoryMib: 32, disks: [] });
    const text = await readFile(twin.configPath, 'utf8');
    await writeFile(twin.configPath, text.replace(/mac=[^,]*/, `mac=${mac ?? ''}`));
    await refusedAlike('neighbour', 'mac-taken', 'vif 0 has the MAC address of another VM on fra-1: twin');
    await rm(twin.configPath);
    const info = (await xl(world.frankfurt, 'info')).stdout;
    const mebibytes = (of: string): number => Number(new RegExp(`^${of}_memory *: (\\d+)$`, 'm').exec(info)?.[1]);
    const used = mebibytes('total') - mebibytes('free');
    // 32 MiB, one for its processor and 128 KiB for its memory's page tables.
    const machine = { observer: world.observer.path, xenVersion: '4.14.6' };
    await makeLabHost(lab.root, { ...machine, memoryMib: used + 33 });
    const before = await domid('neighbour');
    const plan = await world.sealift.plan({ vm: uuid, from: 'lon-1', to: 'fra-1' });
    const doubts = plan.concerns.filter(({ severity }) => severity !== 'note');
    expect(doubts.map(({ name, severity }) => `${severity} ${name}`)).toEqual(['warns older-xen', 'refuses no-memory']);
    await expect((await migrate(world, { vm: uuid })).result()).rejects.toMatchObject({ type: 'no-memory' });
    expect(await domid('neighbour')).toBe(before);
    await makeLabHost(lab.root, { ...machine, memoryMib: used + 34 });
    await (await migrate(world, { vm: uuid })).result();
    expect((await xl(world.frankfurt, 'domid', 'neighbour')).exitCode).toBe(0);
    await makeLabHost(lab.root, { observer: world.observer.path });
  }, 180_000);

  test('a vif with a script of the source, and a bootloader, unless the destination allows them', async () => {
    const script = '/etc/xen/scripts/vif-here';
    await world.makeVm('scripted', {
      extraConfig: `vif = [ "mac=00:16:3e:00:00:77,bridge=xenbr0,script=${script}" ]`,
    });
    await refusedAlike('scripted', 'vif-script-not-allowed', 'vif 0 has a script that this host does not allow');
    await world.makeVm('booted', { extraConfig: 'type = "pv"\nbootloader = "pygrub"' });
    await refusedAlike('booted', 'bootloader-not-allowed', 'bootloader names a program that this host does not map');
    await destinationWith({ allow: { bootloaders: ['pygrub'], vif_scripts: [] } });
    await (await migrate(world, { vm: 'booted' })).result();
    expect((await xl(world.frankfurt, 'domid', 'booted')).exitCode).toBe(0);
  }, 180_000);
});
