import { existsSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { copyFile, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { markPath } from '../../storage/mark.ts';
import { sealift } from '../support/command.ts';
import { expectReleased, loseDatabase, makeOperatedWorld, states } from '../support/dead-hosts.ts';
import { expectMoved, expectUnmoved } from '../support/expect-moved.ts';
import { heldBeforeCede, release } from '../support/held-moves.ts';
import { until } from '../support/until.ts';
import { take, walkOf } from '../support/walk.ts';
import { dataDiskAt, MiB, migrate, xl } from '../support/world.ts';
import type { World } from '../support/world.ts';

describe('the walks of docs/operations.md where a disk or a database is lost', () => {
  let world: World;
  beforeAll(async () => {
    world = await makeOperatedWorld();
  });
  afterAll(() => world.close());

  /** A move that has not come to READY, and a backup of its VM's first disk. */
  async function moveUnderWay(name: string, limitBytesPerSecond = MiB) {
    const vm = await world.makeVm(name, { diskBytes: [8 * MiB, MiB], noise: true });
    const move = await migrate(world, { vm: vm.name, limitBytesPerSecond });
    await until(move, (at) => at.verifiedBytes > 0);
    const [disk = ''] = vm.diskPaths;
    const backup = `${disk}.backup`;
    await copyFile(disk, backup);
    return { vm, move, disk, backup };
  }

  test("a disk lost: the other host's copy is claimed, and the living host heeds", async () => {
    const vm = await world.makeVm('diskless');
    await (await migrate(world, { vm: vm.name })).result();
    const path = await dataDiskAt(world, world.frankfurt, vm);
    const steps = walkOf(world, 'A disk lost');
    await take(world, steps.slice(0, 1), vm.name);
    await rm(path);
    const [claim] = await take(world, steps.slice(1), vm.name);
    expect(claim).toMatchObject({ exitCode: 0 });
    expect(await states(world, vm)).toEqual(['fra-1 ceded', 'lon-1 holder']);
    await expectUnmoved(world, vm);
  });

  test('a disk of the source lost before READY: the move ends when the disk is back from a backup, and the VM runs on', async () => {
    const { vm, move, disk, backup } = await moveUnderWay('backup');
    await execa('chattr', ['-i', disk]);
    await rm(disk);
    await until(move, ({ status }) => status.waits.join().includes('disk-missing'));
    await rename(backup, disk);
    // A look between the two commands that take it away finds it there without its lock.
    await expect(move.result()).rejects.toMatchObject({ type: expect.stringMatching(/^(disk-missing|fence-failed)$/) });
    await expectUnmoved(world, vm);
  });

  test('a disk of the source lost and restored without Temporal: the host itself aborts the move', async () => {
    const { vm, move, disk, backup } = await moveUnderWay('by-hand');
    await world.killWorker(world.london);
    await execa('chattr', ['-i', disk]);
    await rename(backup, disk);
    const said = await take(world, walkOf(world, 'Temporal lost'), vm.name);
    expect(said.map(({ exitCode, stderr }) => [exitCode, stderr])).toEqual(said.map(() => [0, '']));
    await world.startWorker(world.london);
    await expect(move.result()).rejects.toMatchObject({ type: 'run-closed' });
    await expectUnmoved(world, vm);
  });

  test("a host's database lost: VMs that came from elsewhere are claimed, others adopted", async () => {
    const vm = await world.makeVm('orphan');
    const own = await world.makeVm('own', { on: world.frankfurt });
    await (await migrate(world, { vm: vm.name })).result();
    await loseDatabase(world, world.frankfurt, world.london);
    expect(await world.sealift.adopt({ vm: own.name, host: 'fra-1', by: 'test' })).toMatchObject({ token: 1 });
    await expect(world.sealift.adopt({ vm: vm.name, host: 'fra-1', by: 'test' })).rejects.toMatchObject({
      type: 'adoption-refused',
    });
    const said = await take(world, walkOf(world, "A host's database lost"), vm.name);
    expect(said.at(-1)).toMatchObject({ exitCode: 0 });
    // Given again it changes nothing.
    const again = await take(world, walkOf(world, "A host's database lost"), vm.name);
    expect(again.at(-1)).toMatchObject({ exitCode: 0 });
    expect(await states(world, vm)).toEqual(['fra-1 holder', 'lon-1 ceded']);
    await expect(world.sealift.planRevert(vm.name)).rejects.toMatchObject({ type: 'revert-refused' });
    await expectMoved(world, vm);
    await expectReleased(world, vm, 'lon-1');
  });

  test("a host's database lost with a move under way: the VM is adopted there under a new uuid", async () => {
    const { vm, move } = await moveUnderWay('midway');
    await loseDatabase(world, world.london, world.frankfurt);
    const etc = world.london.host.lab.etcFolder;
    const files = (await readdir(etc, { recursive: true })).filter((file) => file.endsWith('/config'));
    const texts = await Promise.all(files.map((file) => readFile(join(etc, file), 'utf8')));
    const aside = texts.find((text) => text.includes(vm.uuid)) ?? '';
    const uuid = randomUUID();
    const config = aside.replace(vm.uuid, uuid).replace(vm.name, 'anew');
    await writeFile(join(etc, 'anew.cfg'), config.replace(/00:16:3e(:..){3}/, '00:16:3e:01:02:03'));
    for (const disk of vm.diskPaths) await execa('chattr', ['-i', disk, markPath(disk)]);
    await expect(world.sealift.adopt({ vm: 'anew', host: 'lon-1', by: 'test' })).rejects.toMatchObject({
      type: 'adoption-refused',
    });
    for (const disk of vm.diskPaths) await rm(markPath(disk));
    expect(await world.sealift.adopt({ vm: 'anew', host: 'lon-1', by: 'test' })).toMatchObject({ token: 1 });
    expect(await xl(world.london, 'create', join(etc, 'anew.cfg'))).toMatchObject({ exitCode: 0 });
    await (await migrate(world, { vm: 'anew' })).result();
    expect((await xl(world.frankfurt, 'list')).stdout).toContain('anew');
    await expect(move.result()).rejects.toMatchObject({ type: 'unknown-run' });
  });

  test("a host's database lost with READY signed: the other host claims its whole copy", async () => {
    const vm = await world.makeVm('ready', { diskBytes: [8 * MiB, MiB], noise: true });
    const move = await heldBeforeCede(world, vm);
    await loseDatabase(world, world.london, world.frankfurt);
    await release();
    await expect(world.sealift.adopt({ vm: vm.name, host: 'lon-1', by: 'test' })).rejects.toMatchObject({
      type: 'unknown-vm',
    });
    const [explain, claim] = await take(world, walkOf(world, 'Source dead before the cede', 1), vm.name);
    expect(explain?.stdout).toMatch(/yes {2}claim/);
    expect(claim).toMatchObject({ exitCode: 0 });
    await expect(move.result()).rejects.toMatchObject({ type: 'unknown-run' });
    await expectMoved(world, vm);
  });

  test("a landing's disk lost before READY: the move is given up, and made again", async () => {
    // So slow that it is under way still when the order comes, also on a busy machine.
    const { vm, move } = await moveUnderWay('landing', MiB / 2);
    const { poolPath } = world.frankfurt.host;
    const landed = (await readdir(poolPath)).filter((folder) => folder.includes(vm.name));
    expect(landed.length).toBeGreaterThan(0);
    for (const folder of landed) await rm(join(poolPath, folder), { recursive: true });
    expect(await sealift(world, 'abort', vm.name)).toMatchObject({ exitCode: 0 });
    // The order, or the step that it stopped, and that missed the disk.
    await expect(move.result()).rejects.toMatchObject({ type: expect.stringMatching(/^(cancelled|disk-missing)$/) });
    await expectUnmoved(world, vm);
    await (await migrate(world, { vm: vm.name })).result();
    await expectMoved(world, vm);
  });

  test('a database lost that had handed a VM over: its holder has it, and the copy that is left is of no use', async () => {
    const vm = await world.makeVm('handed');
    await (await migrate(world, { vm: vm.name })).result();
    await loseDatabase(world, world.london, world.frankfurt);
    await expectMoved(world, vm);
    await expect(world.sealift.adopt({ vm: vm.name, host: 'lon-1', by: 'test' })).rejects.toMatchObject({
      type: 'unknown-vm',
    });
    for (const path of vm.diskPaths) {
      await execa('chattr', ['-i', path]);
      await rm(path);
    }
    await (await migrate(world, { vm: vm.name, from: 'fra-1', to: 'lon-1' })).result();
    await expectUnmoved(world, vm);
  });

  test('both databases lost: the VM is adopted where it runs', async () => {
    const vm = await world.makeVm('both');
    await (await migrate(world, { vm: vm.name })).result();
    await loseDatabase(world, world.frankfurt, world.london);
    await loseDatabase(world, world.london, world.frankfurt);
    const [disk = ''] = vm.diskPaths;
    expect(existsSync(markPath(disk))).toBe(true);
    expect(existsSync(markPath(await dataDiskAt(world, world.frankfurt, vm)))).toBe(false);
    expect(await world.sealift.adopt({ vm: vm.name, host: 'fra-1', by: 'test' })).toMatchObject({ token: 1 });
    await expectMoved(world, vm);
  });
});
