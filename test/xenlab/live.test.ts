import { expect, test } from '@jest/globals';
import type { XenHost } from '../../infra/lab/xen/host.ts';
import { said } from '../../infra/lab/xen/lab-guest.ts';
import { freeLun } from '../../infra/lab/xen/lun.ts';
import { until } from '../../infra/lab/xen/until.ts';
import { goneOver, moves } from './moves.ts';
import { moveLimitMs, onXen } from './two-hosts.ts';

onXen('a guest that runs on a LUN, on real Xen', (xen) => {
  test(
    'goes on where it was when its move is aborted with all its memory at the other host; then goes over, and comes back with what it wrote',
    async () => {
      const { one, two } = xen;
      await xen.onLun('live-1', 'pvh');
      await said(one, 'live-1', 'guest: beat 2');

      const move = await xen.on.sealift.migrate({ vm: 'live-1', from: 'xen-1', to: 'xen-2', method: 'live' });
      await until(120_000, 'it waits, fenced', async () => ((await move.status()).phase === 'fence' ? true : null));
      await two.run(['pkill', '-STOP', '-f', 'worker/host.js']);
      await until(120_000, 'its LUN is for nobody', async () => ((await readers(one)) === 0 ? true : null));
      expect(await one.run(['xl', 'list'])).toMatch(/^live-1 .* ---ss- /m);
      await move.abort();
      await expect(move.result()).rejects.toMatchObject({ type: 'cancelled' });
      await goesOn(one, 'live-1');
      await two.run(['pkill', '-CONT', '-f', 'worker/host.js']);

      await goneOver(xen, 'live-1');
      const back = await xen.on.sealift.revert({ vm: 'live-1', confirm: 'live-1' });
      expect(await back.result()).toMatchObject({ host: 'xen-1', started: true });
      await xen.runsOnlyOn(one, 'live-1');
      await said(one, 'live-1', 'guest: boot 2 on its disk');
      await one.run(['xl', 'destroy', 'live-1']);
      await freeLun(one, '/dev/sda');
    },
    2 * moveLimitMs,
  );
});

/** The guest is in its first boot still, and lives. */
async function goesOn(host: XenHost, name: string): Promise<void> {
  const beats = async (): Promise<number> =>
    (await host.run(['cat', `/var/log/xen/guest-${name}.log`])).split('guest: beat').length;
  const before = await beats();
  await until(60_000, `${name} goes on`, async () => ((await beats()) > before + 2 ? true : null));
  const console = await host.run(['cat', `/var/log/xen/guest-${name}.log`]);
  expect(console.split('guest: up').length).toBe(2);
  expect(console).not.toContain('guest: cannot write');
}

/** What the LUN gives its host to read: a disk that is reserved for nobody gives nothing. */
async function readers(host: XenHost): Promise<number> {
  const read = await host.exec(['dd', 'if=/dev/sda', 'of=/dev/null', 'bs=4096', 'count=1', 'iflag=direct']);
  return read.exitCode === 0 ? 1 : 0;
}

onXen(
  'a guest that runs on a LUN, from a host whose worker is beside its dom0',
  (xen) => {
    moves.live(xen);
  },
  { beside: ['xen-1'], asRoot: true },
);
