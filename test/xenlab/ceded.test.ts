import { expect, test } from '@jest/globals';
import { said } from '../../infra/lab/xen/lab-guest.ts';
import { moveLimitMs, onXen, pastCede } from './two-hosts.ts';

onXen('a host that has ceded, on real Xen', (xen) => {
  test(
    'the source loses power when it has ceded: it does not start the guest, and the move ends well',
    async () => {
      const guest = await xen.onRawFile('dark-1', 'pvh');
      await xen.one.run(['mkdir', '-p', '/etc/xen/auto']);
      await xen.one.run(['ln', '-s', '/etc/xen/dark-1.cfg', '/etc/xen/auto/dark-1.cfg']);

      const move = await xen.on.sealift.migrate({ vm: 'dark-1', from: 'xen-1', to: 'xen-2' });
      await pastCede(move);
      await xen.one.powerCut();
      await said(xen.two, 'dark-1', 'guest: beat 1');
      await xen.one.powerOn();
      await xen.on.startWorker(xen.one);
      expect((await move.result()).body).toMatchObject({ destination: { name: 'xen-2' } });
      await xen.runsOnlyOn(xen.two, 'dark-1');
      expect(await xen.copyStarts(guest)).toEqual([]);
    },
    moveLimitMs,
  );
});
