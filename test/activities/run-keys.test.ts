import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { fenceVm } from '../../activities/fencing.ts';
import { runKeyFolder } from '../../activities/folders.ts';
import { removeGarbage } from '../../activities/garbage.ts';
import { beginReturn, giveBack } from '../../activities/hold.ts';
import { receiveRun } from '../../activities/run.ts';
import { fences, rootA } from '../deed/support.ts';
import { closeHosts, disks, offers, openHosts, placement, reopened, vm } from './support.ts';
import type { OpenHost } from './support.ts';

afterEach(closeHosts);

async function receives(at: OpenHost, offer: ReturnType<typeof offers>): Promise<string> {
  const { key } = await receiveRun(at.host, { offer, placement, disks, from: 'lon-1' });
  return key.body.recipient;
}

async function secrets({ host }: OpenHost): Promise<string[]> {
  return readdir(runKeyFolder(host.file));
}

describe('the secret of a run', () => {
  test('goes when a later run takes the place of its own', async () => {
    const { london, frankfurt } = await openHosts();
    const first = await receives(frankfurt, offers(london, frankfurt));
    expect(await secrets(frankfurt)).toEqual([first]);
    const second = await receives(frankfurt, offers(london, frankfurt));
    expect(await secrets(frankfurt)).toEqual([second]);
  });

  test('is the same for a repetition, and none stays of a refused run', async () => {
    const { london, frankfurt } = await openHosts();
    const older = offers(london, frankfurt);
    const newer = offers(london, frankfurt);
    const key = await receives(frankfurt, newer);
    expect(await receives(frankfurt, newer)).toBe(key);
    await expect(receives(frankfurt, older)).rejects.toMatchObject({ type: 'deed-refused' });
    expect(await secrets(frankfurt)).toEqual([key]);
  });

  test('goes with a landing that is collected, and with one that is given back unaccepted', async () => {
    const { london, frankfurt } = await openHosts();
    const abandoned = offers(london, frankfurt);
    await receives(frankfurt, abandoned);
    const { migrationId } = abandoned.body;
    frankfurt.host.deeds.closeLanding(migrationId);
    const collected = await removeGarbage(frankfurt.host, { ids: [migrationId], givenUp: [], by: 'test' });
    expect(collected.refused).toEqual([]);
    expect(await secrets(frankfurt)).toEqual([]);

    const offer = offers(london, frankfurt);
    await receives(frankfurt, offer);
    fences(london.host, offer.body.migrationId);
    london.host.deeds.noteRead(offer.body.migrationId, rootA);
    const ready = frankfurt.host.deeds.ready(offer.body.migrationId, rootA);
    const deed = london.host.deeds.cede(offer.body.migrationId, ready);
    const back = await beginReturn(frankfurt.host, { vmUuid: vm.vmUuid, to: 'lon-1', deed });
    expect(await secrets(frankfurt)).toHaveLength(1);
    await fenceVm(frankfurt.host, back.migrationId);
    await giveBack(frankfurt.host, back.migrationId);
    expect(await secrets(frankfurt)).toEqual([]);
  });

  test('is removed at the next start where an end was cut short or no run came to it', async () => {
    const { london, frankfurt } = await openHosts();
    const offer = offers(london, frankfurt);
    const key = await receives(frankfurt, offer);
    await writeFile(join(runKeyFolder(frankfurt.host.file), 'age1stray'), 'secret');
    const again = await reopened(frankfurt);
    expect(await secrets(again)).toEqual([key]);
    again.host.deeds.closeLanding(offer.body.migrationId);
    expect(await secrets(await reopened(again))).toEqual([]);
  });
});
