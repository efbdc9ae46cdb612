import { afterEach, expect, test } from '@jest/globals';
import { abortRun } from '../../activities/abort.ts';
import { beginReturn } from '../../activities/hold.ts';
import { receiveRun } from '../../activities/run.ts';
import { fences, rootA } from '../deed/support.ts';
import { closeHosts, disks, offers, openHosts, placement, vm } from './support.ts';

afterEach(closeHosts);

// Found by the fault matrix, seed 710094: the VM's holder had a return open that no workflow would ever end.
test('a return that its workflow has aborted is not begun by a worker that takes it up late', async () => {
  const { london, frankfurt } = await openHosts();
  const offer = offers(london, frankfurt);
  const { migrationId } = offer.body;
  await receiveRun(frankfurt.host, { offer, placement, disks, from: 'lon-1' });
  fences(london.host, migrationId);
  london.host.deeds.noteRead(migrationId, rootA);
  const deed = london.host.deeds.cede(migrationId, frankfurt.host.deeds.ready(migrationId, rootA));

  const ask = { vmUuid: vm.vmUuid, to: 'lon-1', deed };
  const open = (): number | undefined => frankfurt.host.deeds.byVm(vm.vmUuid)?.runToken;
  await abortRun(frankfurt.host, migrationId, 'one');
  await expect(beginReturn(frankfurt.host, ask, 'one')).rejects.toMatchObject({ type: 'revert-refused' });
  expect(open()).toBe(0);
  await beginReturn(frankfurt.host, ask, 'two');
  expect(open()).toBe(3);
});
