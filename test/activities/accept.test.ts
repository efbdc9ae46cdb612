import { afterEach, expect, test } from '@jest/globals';
import { acceptDeed } from '../../activities/handover.ts';
import { receiveRun } from '../../activities/run.ts';
import { fences, rootA } from '../deed/support.ts';
import { closeHosts, disks, offers, openHosts, placement } from './support.ts';

afterEach(closeHosts);

test('a deed of another migration is refused before it is accepted; the journal is kept', async () => {
  const { london, frankfurt } = await openHosts();
  const offer = offers(london, frankfurt);
  const { migrationId, lineage, token } = offer.body;
  await receiveRun(frankfurt.host, { offer, placement, disks, from: 'lon-1' });
  const { landed, deeds } = frankfurt.host;
  fences(london.host, migrationId);
  london.host.deeds.noteRead(migrationId, rootA);
  const deed = london.host.deeds.cede(migrationId, deeds.ready(migrationId, rootA));
  const other = { ...deed, body: { ...deed.body, token: token + 1 } };
  await expect(acceptDeed(frankfurt.host, { migrationId, deed: other })).rejects.toMatchObject({
    type: 'bad-statement',
    message: expect.stringContaining('is not that of migration'),
  });
  await acceptDeed(frankfurt.host, { migrationId, deed });
  await acceptDeed(frankfurt.host, { migrationId, deed });
  expect(landed.disks(`${lineage}/${String(token)}`)).toHaveLength(1);
});
