import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { readNotes } from '../../activities/notes.ts';
import { receiveRun } from '../../activities/run.ts';
import { closeHosts, disks, offers, openHosts, placement } from './support.ts';

afterEach(closeHosts);

test('a run whose receiving was cut short gets its disks where its record says, whatever a repetition asks for', async () => {
  const { london, frankfurt } = await openHosts();
  const { host } = frankfurt;
  const slow = { name: 'slow', kind: 'folder', path: join(host.file.state, 'slow') } as const;
  await mkdir(slow.path);
  const offer = offers(london, frankfurt);
  const { migrationId } = offer.body;
  const ask = { offer, disks, from: 'lon-1' };
  // Its pool's folder is not there: the run is received, and ends before its disks are made.
  const cut = { ...host, file: { ...host.file, pool: [{ ...slow, path: `${slow.path}/absent` }] } };
  await expect(receiveRun(cut, { ...ask, placement: [{ vdev: 'xvda', pool: 'slow' }] })).rejects.toMatchObject({
    type: 'bad-config',
  });
  await mkdir(`${slow.path}/absent`);
  const both = { ...host, file: { ...host.file, pool: [...host.file.pool, ...cut.file.pool] } };
  await receiveRun(both, { ...ask, placement });
  const { run } = host.deeds.byMigration(migrationId);
  expect(readNotes(host.deeds, migrationId).disks.map(({ path }) => path)).toEqual(
    run.places?.disks.map(({ path }) => path),
  );
});
