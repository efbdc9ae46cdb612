import { copyFile, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from '@temporalio/client';
import type { Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { openConnection } from '../../client/connect.ts';
import { parseHostFile } from '../../domain/host-file.ts';
import { expectMoved } from '../support/expect-moved.ts';
import { reset } from '../support/reset.ts';
import { troubles, until, untilPhase } from '../support/until.ts';
import { useWorld } from '../support/use-world.ts';
import { migrate, quick, xl } from '../support/world.ts';

describe('a destination whose database is rolled back behind what it has accepted', () => {
  const world = useWorld();
  let connection: Connection;
  let temporal: Client;
  beforeAll(async () => {
    const { address } = world.up.server;
    connection = await openConnection({ address, namespace: 'default', connectionOptions: { address } });
    temporal = new Client({ connection });
  });
  afterAll(async () => {
    await connection.close();
  });

  const database = async (): Promise<string> =>
    join(parseHostFile(await readFile(world.frankfurt.host.filePath, 'utf8'), 'host.toml').state, 'host.db');

  /** Stops the worker, which leaves nothing beside its database, and keeps a copy of that. */
  async function backUp(name: string): Promise<string> {
    const copy = join(world.folder, name);
    await world.frankfurt.worker.stop();
    await copyFile(await database(), copy);
    await world.startWorker(world.frankfurt);
    return copy;
  }

  /** Writes a copy into the file that is there: the inode stays. */
  async function putBack(copy: string): Promise<void> {
    await world.frankfurt.worker.stop();
    await writeFile(await database(), await readFile(copy));
    await world.startWorker(world.frankfurt);
  }

  test('to READY: the deed is taken again by the same move, and the VM that runs is left alone', async () => {
    const vm = await world.makeVm('ready');
    const move = await migrate(world, { vm: vm.name, cutover: 'approve' });
    await untilPhase(move, 'waits');
    // Whoever has a disk of the source open holds the cede up; the fence is on by then.
    await move.pause();
    await move.approve({ by: 'test' });
    await until(move, (at) => at.transfer?.paused === true);
    const stranger = await open(vm.dataPath, 'r');
    await move.resume();
    await until(move, (at) => troubles(at).includes('held open'));
    const atReady = await backUp('at-ready');
    await stranger.close();
    await move.result();
    const domid = async (): Promise<string> => (await xl(world.frankfurt, 'domid', vm.name)).stdout;
    const before = await domid();
    await putBack(atReady);
    await reset(temporal, move.workflowId);
    await (await world.sealift.handle(vm.uuid)).result();
    expect(await domid()).toBe(before);
    await expectMoved(world, vm);

    // A revert would say that the VM never ran here.
    const newest = await backUp('newest-of-ready');
    await putBack(atReady);
    const back = await world.sealift.revert({ vm: vm.uuid, confirm: vm.name, timings: quick });
    await expect(back.result()).rejects.toMatchObject({ type: 'unknown-state' });
    await putBack(newest);
    await expectMoved(world, vm);
  });

  test('to an empty landing: nothing writes to the disks of the VM that runs, and nothing starts', async () => {
    const vm = await world.makeVm('empty');
    const move = await migrate(world, { vm: vm.name, cutover: 'approve' });
    await untilPhase(move, 'waits');
    const atOpen = await backUp('at-open');
    await move.approve({ by: 'test' });
    await move.result();
    const newest = await backUp('newest');
    await putBack(atOpen);
    await reset(temporal, move.workflowId);
    const again = await world.sealift.handle(vm.uuid);
    await until(again, (at) => `${troubles(at)} ${at.status.waits.join(' ')}`.includes('record and marks disagree'));
    expect((await xl(world.london, 'list')).stdout).not.toContain(vm.name);
    await putBack(newest);
    await again.result();
    await expectMoved(world, vm);
  });
});
