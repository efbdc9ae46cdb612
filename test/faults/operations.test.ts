import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { Client } from '@temporalio/client';
import { openConnection } from '../../client/connect.ts';
import { powerOff, powerOn } from '../../infra/stand-in-host.ts';
import { findServerBinary } from '../../infra/temporal/server-binary.ts';
import { startServer } from '../../infra/temporal/server.ts';
import { testCache } from '../support/cache.ts';
import { sealift } from '../support/command.ts';
import { comeBack, die, expectReleased, makeOperatedWorld, states } from '../support/dead-hosts.ts';
import { expectMoved, expectUnmoved } from '../support/expect-moved.ts';
import { cededAndNotAccepted, heldBeforeCede, release } from '../support/held-moves.ts';
import { until, untilPast } from '../support/until.ts';
import { take, walkOf } from '../support/walk.ts';
import { MiB, migrate, xl } from '../support/world.ts';
import type { TestVm, World } from '../support/world.ts';

let world: World;
const noisy = { diskBytes: [8 * MiB, MiB], noise: true };

afterEach(() => release());

describe('the walks of docs/operations.md', () => {
  beforeAll(async () => {
    world = await makeOperatedWorld();
  });
  afterAll(() => world.close());

  test('source dead before the cede (a): a copy that is not whole is not claimed', async () => {
    const vm = await world.makeVm('half', noisy);
    const move = await migrate(world, { vm: vm.name, limitBytesPerSecond: MiB });
    await until(move, (at) => at.verifiedBytes > 0);
    await die(world, world.london);
    const [claim] = await walk(vm, 'Source dead before the cede');
    expect(claim).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('the copy here is not whole') });
    await comeBack(world, world.london);
    await move.abort();
    await expectUnmoved(world, vm);
  });

  test('source dead before the cede (b): a whole copy is claimed, and the source heeds when it is back', async () => {
    const vm = await world.makeVm('whole', noisy);
    const move = await heldBeforeCede(world, vm);
    await die(world, world.london);
    await release();
    const [explain, claim] = await walk(vm, 'Source dead before the cede', 1);
    expect(explain?.stdout).toMatch(/yes {2}claim/);
    expect(claim).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('by a claim of ada@example.org') });
    expect(await states(world, vm)).toEqual(['fra-1 holder']);
    await comeBack(world, world.london);
    expect(await states(world, vm)).toEqual(['fra-1 holder', 'lon-1 ceded']);
    await expect(move.result()).rejects.toMatchObject({ type: 'run-closed' });
    await powerOn(world.london.host);
    await expectMoved(world, vm);
    await shownEverAfter(vm, 'lon-1 burned down');
    await expectReleased(world, vm, 'lon-1');
  });

  test('a disk of the source lost after READY: the whole copy is claimed, although its host lives', async () => {
    const vm = await world.makeVm('diskless', noisy);
    const move = await heldBeforeCede(world, vm);
    const [disk = ''] = vm.diskPaths;
    await execa('chattr', ['-i', disk]);
    await rm(disk);
    await release();
    const [, claim] = await walk(vm, 'Source dead before the cede', 1);
    expect(claim).toMatchObject({ exitCode: 0 });
    expect(await states(world, vm)).toEqual(['fra-1 holder', 'lon-1 ceded']);
    // A look between the two commands that take it away finds it there without its lock.
    await expect(move.result()).rejects.toMatchObject({ type: expect.stringMatching(/^(disk-missing|fence-failed)$/) });
    await expectMoved(world, vm);
  });

  test('source dead after the cede (a): the move goes on by itself, and only its receipt waits', async () => {
    const vm = await world.makeVm('ceded', noisy);
    const move = await cededAndNotAccepted(world, vm);
    await die(world, world.london);
    await world.startWorker(world.frankfurt);
    await untilPast(move, 'receipt');
    expect((await xl(world.frankfurt, 'list')).stdout).toContain(vm.name);
    await comeBack(world, world.london);
    await move.result();
    await expectMoved(world, vm);
  });

  test('source dead after the cede, and nothing left of it: the destination claims its copy', async () => {
    const vm = await world.makeVm('nothing', noisy);
    const move = await cededAndNotAccepted(world, vm);
    await die(world, world.london);
    const [explain, claim] = await walk(vm, 'Source dead before the cede', 1);
    expect(explain?.stdout).toMatch(/yes {2}claim/);
    expect(claim).toMatchObject({ exitCode: 0 });
    await comeBack(world, world.london);
    expect(await states(world, vm)).toEqual(['fra-1 holder', 'lon-1 ceded']);
    await expect(move.result()).rejects.toMatchObject({ type: 'claimed' });
    await expectMoved(world, vm);
  });

  test('destination dead before the cede: an abort leaves the VM where it is', async () => {
    const vm = await world.makeVm('before', noisy);
    const move = await heldBeforeCede(world, vm);
    await die(world, world.frankfurt);
    expect(await sealift(world, 'abort', vm.name)).toMatchObject({ exitCode: 0 });
    await release();
    await expect(move.result()).rejects.toMatchObject({ type: 'cancelled' });
    await comeBack(world, world.frankfurt);
    expect(await states(world, vm)).toEqual(['fra-1 receiving', 'lon-1 holder']);
    await expectUnmoved(world, vm);
  });

  test('destination dead before the accept: the source claims its copy, and a late deed is worth nothing', async () => {
    const vm = await world.makeVm('early', noisy);
    const move = await cededAndNotAccepted(world, vm);
    await powerOff(world.frankfurt.host);
    const [explain, claim] = await walk(vm, 'Destination dead before the accept');
    expect(explain?.stdout).toMatch(/no {3}start.*\n(?:.*\n)* {2}yes {2}claim/);
    expect(claim).toMatchObject({ exitCode: 0 });
    await comeBack(world, world.frankfurt);
    expect(await states(world, vm)).toEqual(['fra-1 none', 'lon-1 holder']);
    await expect(move.result()).rejects.toMatchObject({ type: 'claimed' });
    await expectUnmoved(world, vm);
  });

  test('a move that waits for a dead host is terminated: nothing is undone by that, and the VM moves again', async () => {
    const vm = await world.makeVm('ended', noisy);
    const move = await cededAndNotAccepted(world, vm);
    await powerOff(world.frankfurt.host);
    const [, claim] = await walk(vm, 'Destination dead before the accept');
    expect(claim).toMatchObject({ exitCode: 0 });
    await terminate(move.workflowId);
    await expect(move.result()).rejects.toMatchObject({ type: 'unknown-state' });
    await comeBack(world, world.frankfurt);
    expect(await states(world, vm)).toEqual(['fra-1 none', 'lon-1 holder']);
    await expectUnmoved(world, vm);
    await (await migrate(world, { vm: vm.name })).result();
    await expectMoved(world, vm);
  });

  test('destination dead after the accept: the kept copy is claimed, what was written since is not there', async () => {
    const vm = await world.makeVm('since');
    await (await migrate(world, { vm: vm.name })).result();
    await die(world, world.frankfurt);
    const [claim] = await walk(vm, 'Destination dead after the accept');
    expect(claim).toMatchObject({ exitCode: 0 });
    // as the walk says: no xendomains before the host has heeded
    await world.startWorker(world.frankfurt);
    expect(await states(world, vm)).toEqual(['fra-1 ceded', 'lon-1 holder']);
    await powerOn(world.frankfurt.host);
    await expectUnmoved(world, vm);
    await (await migrate(world, { vm: vm.name })).result();
    await expectMoved(world, vm);
  });

  test('destination dead after finish and gc: there is no copy, and the claim is refused', async () => {
    const vm = await world.makeVm('removed');
    await (await migrate(world, { vm: vm.name })).result();
    await expectReleased(world, vm, 'lon-1');
    const [copy] = (await world.sealift.garbage('lon-1')).filter(({ vmName }) => vmName === vm.name);
    expect(await sealift(world, 'gc', '--host', 'lon-1', '--remove', copy!.id, '--yes')).toMatchObject({ exitCode: 0 });
    await die(world, world.frankfurt);
    const [claim] = await walk(vm, 'Destination dead after the accept');
    expect(claim).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('was given free for removal') });
    await comeBack(world, world.frankfurt);
    expect(await states(world, vm)).toEqual(['fra-1 holder', 'lon-1 ceded']);
  });
});

describe('the walk with Temporal lost', () => {
  beforeAll(async () => {
    world = await makeOperatedWorld();
  });
  afterAll(() => world.close());

  test('the hosts abort, take and give back by themselves, and a new Temporal goes by their records', async () => {
    const [stays, late, moves, returns] = [
      await world.makeVm('stays', noisy),
      await world.makeVm('late', noisy),
      await world.makeVm('moves', noisy),
      await world.makeVm('returns', noisy),
    ];
    for (const vm of [stays, late, moves, returns]) await heldBeforeCede(world, vm);
    await world.killWorker(world.frankfurt);
    for (const vm of [moves, returns]) {
      await release(vm);
      await untilPast(await world.sealift.handle(vm.name), 'start');
    }
    const { address, pid, ended } = world.up.server;
    process.kill(pid, 'SIGKILL');
    await ended;
    const [stop, ...abort] = walkOf(world, 'Temporal lost');
    await take(world, [stop!], stays.name);
    await release();
    for (const said of [
      await take(world, abort, stays.name),
      await walk(moves, 'Temporal lost', 1),
      await walk(returns, 'Temporal lost', 2),
    ]) {
      expect(said.map(({ exitCode, stderr }) => [exitCode, stderr])).toEqual(said.map(() => [0, '']));
    }
    const binary = (await findServerBinary(testCache)).path;
    const port = Number(address.split(':')[1]);
    const fresh = await startServer({ binary, folder: join(world.folder, 'anew'), port, headless: true });
    try {
      await world.stopControl();
      await world.startControl();
      for (const at of [world.london, world.frankfurt]) await world.startWorker(at);
      expect(await sealift(world, 'abort', late.name)).toMatchObject({ exitCode: 0 });
      await expectMoved(world, moves);
      for (const vm of [stays, late, returns]) await expectUnmoved(world, vm);
      await expectReleased(world, moves, 'lon-1');
      await (await migrate(world, { vm: stays.name })).result();
      await expectMoved(world, stays);
      await (await world.sealift.revert({ vm: stays.name, confirm: stays.name })).result();
      await expectUnmoved(world, stays);
    } finally {
      for (const at of [world.london, world.frankfurt]) await world.killWorker(at);
      await world.stopControl();
      await fresh.stop();
    }
  });
});

const walk = (vm: TestVm, heading: string, block = 0) => take(world, walkOf(world, heading, block), vm.name);

async function terminate(workflowId: string): Promise<void> {
  const { address } = world.up.server;
  const connection = await openConnection({ address, namespace: 'default', connectionOptions: { address } });
  try {
    await new Client({ connection }).workflow.getHandle(workflowId).terminate('by hand');
  } finally {
    await connection.close();
  }
}

/** A claim is told by every command that tells of the VM or of a host that made or heeded it. */
async function shownEverAfter(vm: TestVm, reason: string): Promise<void> {
  for (const at of ['fra-1', 'lon-1']) {
    expect((await sealift(world, 'vm', 'inspect', vm.name, '--host', at)).stdout).toContain(reason);
    expect((await sealift(world, 'host', 'show', at)).stdout).toContain(reason);
  }
  expect((await sealift(world, 'deed', 'show', vm.name)).stdout).toContain(reason);
  expect((await sealift(world, 'plan', vm.name, '--to', 'lon-1')).stdout).toContain(reason);
}
