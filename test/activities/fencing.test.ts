import { randomUUID } from 'node:crypto';
import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { adoptVm } from '../../activities/adopt.ts';
import { fenceVm } from '../../activities/fencing.ts';
import { openRun } from '../../activities/run.ts';
import { requireFence } from '../../activities/transfer.ts';
import { unlock } from '../../deed/locks.ts';
import { closeHosts, openHosts, vm } from './support.ts';
import type { OpenHost } from './support.ts';

afterEach(closeHosts);

/** A VM that is off, with a run open for it, fenced. Gives the path of its disk. */
async function fencedVm({ host, made }: OpenHost, migrationId: string): Promise<string> {
  const path = join(made.poolPath, 'web-1.raw');
  await writeFile(path, '');
  await truncate(path, 2 ** 20);
  const config = `name = "${vm.vmName}"\nuuid = "${vm.vmUuid}"\ntype = "pvh"\nmemory = 32\ndisk = ["${path},raw,xvda,w"]\n`;
  await writeFile(join(made.lab.etcFolder, 'web-1.cfg'), config);
  await adoptVm(host, { vm: vm.vmUuid, by: 'test', elsewhere: [], notAsked: [], withoutAsking: [] });
  await openRun(host, { input: { migrationId, method: 'sealed', ...vm }, to: 'fra-1' });
  await fenceVm(host, migrationId);
  return path;
}

test('while a broken fence is put on again no transfer begins, from before the one under way is stopped', async () => {
  const { london } = await openHosts();
  const { host } = london;
  const migrationId = randomUUID();
  const path = await fencedVm(london, migrationId);
  requireFence(host, migrationId);
  await unlock(path, 0o644, {});

  const stop = host.jobs.stop.bind(host.jobs);
  let mayBegin: boolean | null = null;
  host.jobs.stop = async (id) => {
    await stop(id);
    mayBegin = true;
    try {
      requireFence(host, migrationId);
    } catch {
      mayBegin = false;
    }
  };
  await fenceVm(host, migrationId);
  expect(mayBegin).toBe(false);
  requireFence(host, migrationId);
});
