import { open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { expect, test } from '@jest/globals';
import { troubles, until, untilPhase } from '../support/until.ts';
import { useWorld } from '../support/use-world.ts';
import { MiB, migrate, quick } from '../support/world.ts';

const world = useWorld();

test('no key, no configuration and no content of a VM is in history, logs or Temporal’s database (I8)', async () => {
  const inConfig = 'canary-of-the-configuration';
  const onDisk = 'canary-of-the-content';
  const vm = await world.makeVm('quiet', {
    diskBytes: [4 * MiB, 2 * MiB],
    start: false,
    extraConfig: `cmdline = "${inConfig}"`,
  });
  const disk = await open(vm.diskPaths[0] ?? '', 'r+');
  await disk.write(onDisk, MiB);
  await disk.close();
  const move = await migrate(world, { vm: 'quiet' });
  await move.result();

  const told = [await historyOf(move.workflowId), ...(await filesUnder(join(world.folder, 'logs')))];
  told.push(...(await filesUnder(join(world.folder, 'temporal'))));
  expect(told.join('').length).toBeGreaterThan(10_000);
  const secrets = [inConfig, onDisk, 'AGE-SECRET-KEY', 'PRIVATE KEY', '-> X25519'];
  const found = secrets.flatMap((secret) =>
    told.flatMap((text) => {
      const at = text.indexOf(secret);
      return at < 0 ? [] : [text.slice(Math.max(0, at - 100), at + 100)];
    }),
  );
  expect(found).toEqual([]);
  expect(told[0]).toContain(vm.uuid);
  // `vm inspect` tells a person the paths on its host; the move's own history has none.
  expect(told[0]).not.toContain(world.london.host.poolPath);
});

test('no path of a host is in the history of moves that fail, wait and go back (I8)', async () => {
  const told: string[] = [];
  const vm = await world.makeVm('watched', { diskBytes: [MiB, MiB] });
  // A stranger has a disk open when the VM is fenced.
  const stranger = await open(vm.diskPaths[0] ?? '', 'r');
  const stuck = await migrate(world, { vm: vm.name });
  const held = await until(stuck, (at) => troubles(at).includes('held open'));
  expect(troubles(held)).toContain('disk xvda is held open by another process');
  await stuck.abort();
  await stranger.close();
  told.push(JSON.stringify(held), await historyOf(stuck.workflowId));
  expect(await filesUnder(join(world.folder, 'logs'))).toEqual(
    expect.arrayContaining([expect.stringContaining(`${vm.diskPaths[0] ?? ''} is held open`)]),
  );

  // Somebody writes a configuration of the name while the VM is on its way.
  const move = await migrate(world, { vm: vm.name, cutover: 'approve' });
  await untilPhase(move, 'waits');
  const taken = join(world.frankfurt.host.lab.etcFolder, `${vm.name}.cfg`);
  await writeFile(taken, 'name = "somebody-else"');
  await move.approve({ by: 'ops' });
  const waiting = await until(move, (at) => at.status.waits.join().includes('name-taken'));
  await rm(taken);
  await move.result();
  told.push(JSON.stringify(waiting), await historyOf(move.workflowId));
  await (await world.sealift.revert({ vm: vm.name, confirm: vm.name, timings: quick })).result();
  told.push(await historyOf(move.workflowId));

  // What nobody foresaw is told in fixed words.
  const { etcFolder } = world.london.host.lab;
  await rename(etcFolder, `${etcFolder}.away`);
  await writeFile(etcFolder, 'not a folder');
  const error: unknown = await world.sealift.vms('lon-1').catch((thrown: unknown) => thrown);
  await rm(etcFolder);
  await rename(`${etcFolder}.away`, etcFolder);
  expect(error).toMatchObject({ type: 'internal', hint: expect.stringContaining('log') });
  told.push(String(error));

  expect(told.join('').length).toBeGreaterThan(10_000);
  for (const text of told) expect(text).not.toContain(world.folder);
});

/** A workflow's whole history with its payloads decoded. */
async function historyOf(workflowId: string): Promise<string> {
  const connection = await Connection.connect({ address: world.up.server.address });
  try {
    const history = await new Client({ connection }).workflow.getHandle(workflowId).fetchHistory();
    const text = JSON.stringify(historyToJSON(history));
    return text.replaceAll(/"data":"([^"]*)"/g, (_, data: string) => Buffer.from(data, 'base64').toString());
  } finally {
    await connection.close();
  }
}

async function filesUnder(folder: string): Promise<string[]> {
  const names = await readdir(folder);
  return Promise.all(names.map((name) => readFile(join(folder, name), 'latin1')));
}
