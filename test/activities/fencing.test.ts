import { randomUUID } from 'node:crypto';
import { afterEach, expect, test } from '@jest/globals';
import { fenceVm } from '../../activities/fencing.ts';
import { requireFence } from '../../activities/transfer.ts';
import { unlock } from '../../deed/locks.ts';
import { closeHosts, fencedVm, openHosts } from './support.ts';

afterEach(closeHosts);

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
