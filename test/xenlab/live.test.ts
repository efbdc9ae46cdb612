import { expect, test } from '@jest/globals';
import { said } from '../../infra/lab/xen/lab-guest.ts';
import { moveLimitMs, onXen } from './two-hosts.ts';

onXen('a guest that runs on a LUN, on real Xen', (xen) => {
  test(
    'goes on at the other host where it was, by live, and comes back with what it wrote',
    async () => {
      const { one, two } = xen;
      await xen.onLun('live-1', 'pvh');
      await said(one, 'live-1', 'guest: beat 2');

      await xen.moved('live-1', { method: 'live' });
      const name = '/var/log/xen/guest-live-1--incoming.log';
      const console = await two.run(['cat', name]);
      expect(console).not.toContain('guest: up');
      expect(Number(/guest: beat (\d+)/.exec(console)?.[1])).toBeGreaterThan(2);

      const back = await xen.on.sealift.revert({ vm: 'live-1', confirm: 'live-1' });
      expect(await back.result()).toMatchObject({ host: 'xen-1', started: true });
      await xen.runsOnlyOn(one, 'live-1');
      await said(one, 'live-1', 'guest: boot 2 on its disk');
    },
    moveLimitMs,
  );
});
