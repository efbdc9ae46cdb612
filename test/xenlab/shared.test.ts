import { expect, test } from '@jest/globals';
import { said } from '../../infra/lab/xen/lab-guest.ts';
import { logIn, startInitiator } from '../../infra/lab/xen/lun.ts';
import { until } from '../../infra/lab/xen/until.ts';
import { moveLimitMs, onXen, strangerOn } from './two-hosts.ts';
import type { TwoHosts } from './two-hosts.ts';

onXen('a LUN that both hosts reach, on real Xen', (xen) => {
  test(
    'its guest goes there without its bytes, no guest at the source reaches the LUN, reboot or not, and it comes back with what it wrote',
    async () => {
      const { one, two } = xen;
      const guest = await xen.onLun('lun-1', 'pvh');
      await one.run(['cp', '/etc/xen/lun-1.cfg', '/root/lun-1.cfg']);
      await one.writeFile('/root/not-lun-1.cfg', strangerOn(guest));

      const move = await xen.on.sealift.migrate({ vm: 'lun-1', from: 'xen-1', to: 'xen-2' });
      const { body } = await move.result();
      expect(body).toMatchObject({
        disks: [],
        shared: [{ vdev: 'xvda', sizeBytes: xen.lab.target.bytes }],
        plainBytes: 0,
      });
      await xen.runsOnlyOn(two, 'lun-1');
      expect(await said(two, 'lun-1', 'guest: beat 3')).toContain('guest: boot 2 on its disk');

      await reachNothing(xen);
      await one.reboot();
      await startInitiator(one);
      await xen.on.startWorker(one);
      await logIn(one, xen.lab.target);
      await reachNothing(xen);
      // None of it has troubled the guest.
      const beats = (await said(two, 'lun-1', 'guest: beat')).split('guest: beat').length;
      await said(two, 'lun-1', 'guest: beat', beats + 1);

      // Without power in between: this target knows no session again.
      await two.powerCut();
      await two.powerOn();
      await startInitiator(two);
      await xen.on.startWorker(two);
      await until(60_000, 'xen-2 has its LUN again', async () =>
        (await two.exec(['xl', 'create', '-q', '/etc/xen/lun-1.cfg'])).exitCode === 0 ? true : null,
      );
      await said(two, 'lun-1', 'guest: boot 3 on its disk');

      const back = await xen.on.sealift.revert({ vm: 'lun-1', confirm: 'lun-1' });
      expect(await back.result()).toMatchObject({ host: 'xen-1', started: true });
      await xen.runsOnlyOn(one, 'lun-1');
      await said(one, 'lun-1', 'guest: boot 4 on its disk');
    },
    2 * moveLimitMs,
  );
});

/** Guests that are started on the LUN at the source, by its old configuration or another, read and write nothing of it. */
async function reachNothing({ one }: TwoHosts): Promise<void> {
  for (const name of ['lun-1', 'not-lun-1']) {
    await one.run(['rm', '-f', `/var/log/xen/guest-${name}.log`]);
    await one.run(['xl', 'create', '-q', `/root/${name}.cfg`]);
    const console = await said(one, name, 'guest: beat 1');
    expect(console).not.toContain('on its disk');
    expect(console).toContain('guest: cannot write to its disk');
    await one.run(['xl', 'destroy', name]);
  }
}
