import { expect, test } from '@jest/globals';
import { said } from '../../infra/lab/xen/lab-guest.ts';
import { until } from '../../infra/lab/xen/until.ts';
import { moveLimitMs, onXen } from './two-hosts.ts';

onXen('sealed between real Xen hosts', (xen) => {
  test(
    'a PVH guest on a raw file goes there, its copy starts by no name, and it comes back',
    async () => {
      const guest = await xen.onRawFile('web-1', 'pvh');

      await xen.moved('web-1');
      expect(await said(xen.two, 'web-1', 'guest: beat 3')).toContain('guest: boot 2 on its disk');
      expect(await xen.copyStarts(guest)).toEqual([]);
      expect(await xen.one.run(['lsattr', guest.disk])).toMatch(/^-+i/);

      const back = await xen.on.sealift.revert({ vm: 'web-1', confirm: 'web-1' });
      expect(await back.result()).toMatchObject({ host: 'xen-1', started: true });
      await xen.runsOnlyOn(xen.one, 'web-1');
      await said(xen.one, 'web-1', 'guest: boot 2 on its disk');
      await xen.one.run(['xl', 'destroy', 'web-1']);
    },
    moveLimitMs,
  );

  test(
    'with its memory, a PV guest goes on where it was',
    async () => {
      const guest = await xen.onRawFile('mem-1', 'pv');
      await said(xen.one, 'mem-1', 'guest: beat 2');

      await xen.moved('mem-1', { keepMemory: true });
      const console = await said(xen.two, 'mem-1', 'guest: beat');
      expect(console).not.toContain('guest: up');
      expect(Number(/guest: beat (\d+)/.exec(console)?.[1])).toBeGreaterThan(2);
      expect(await xen.copyStarts(guest)).toEqual([]);
      await xen.two.run(['xl', 'destroy', 'mem-1']);
    },
    moveLimitMs,
  );

  test(
    'the source loses power when it has ceded: it does not start the guest, and the move ends well',
    async () => {
      const guest = await xen.onRawFile('dark-1', 'pvh');
      await xen.one.run(['mkdir', '-p', '/etc/xen/auto']);
      await xen.one.run(['ln', '-s', '/etc/xen/dark-1.cfg', '/etc/xen/auto/dark-1.cfg']);

      const move = await xen.on.sealift.migrate({ vm: 'dark-1', from: 'xen-1', to: 'xen-2' });
      await until(moveLimitMs, 'the move is past its cede', async () =>
        ['start', 'probe', 'done'].includes((await move.status()).phase) ? true : null,
      );
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
