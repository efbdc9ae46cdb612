import { afterEach, describe, expect, test } from '@jest/globals';
import { acceptDeed } from '../../activities/handover.ts';
import { abortRun } from '../../activities/power.ts';
import { receiveRun } from '../../activities/run.ts';
import { LandingStore } from '../../transport/landing-store.ts';
import { fences, rootA } from '../deed/support.ts';
import { closeHosts, disks, offers, openHosts, placement } from './support.ts';

afterEach(closeHosts);

describe('a host forgets what nobody needs any more', () => {
  test('the journal and the manifest of a landing, when it is accepted, which is refused for another migration', async () => {
    const { london, frankfurt } = await openHosts();
    const offer = offers(london, frankfurt);
    const { migrationId, lineage, token } = offer.body;
    const name = `${lineage}/${String(token)}`;
    await receiveRun(frankfurt.host, { offer, placement, disks, from: 'lon-1' });
    const { landed, deeds, state } = frankfurt.host;
    const store = new LandingStore(state.database);
    store.keepManifest(name, Buffer.from('manifest'));
    fences(london.host, migrationId);
    london.host.deeds.noteRead(migrationId, rootA);
    const deed = london.host.deeds.cede(migrationId, deeds.ready(migrationId, rootA));
    const other = { ...deed, body: { ...deed.body, token: token + 1 } };
    await expect(acceptDeed(frankfurt.host, { migrationId, deed: other })).rejects.toMatchObject({
      type: 'bad-statement',
      message: expect.stringContaining('is not that of migration'),
    });
    expect(landed.disks(name)).toHaveLength(1);
    await acceptDeed(frankfurt.host, { migrationId, deed });
    await acceptDeed(frankfurt.host, { migrationId, deed });
    expect(() => landed.disks(name)).toThrow('not in the journal');
    expect(store.manifest(name)).toBeNull();
  });

  test("the journal of a source's run, when it is aborted", async () => {
    const { london, frankfurt } = await openHosts();
    const { migrationId, lineage, token } = offers(london, frankfurt).body;
    const name = `${lineage}/${String(token)}`;
    london.host.own.open(name, [{ disk: 0, sizeBytes: 2 ** 20 }]);
    await abortRun(london.host, migrationId);
    expect(() => london.host.own.disks(name)).toThrow('not in the journal');
  });
});
