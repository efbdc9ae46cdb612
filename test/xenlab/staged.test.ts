import { expect, test } from '@jest/globals';
import { said } from '../../infra/lab/xen/lab-guest.ts';
import { moveLimitMs, onXen } from './two-hosts.ts';

onXen('staged between real Xen hosts', (xen) => {
  test(
    'a PV guest goes from a volume to a volume',
    async () => {
      const guest = await xen.onVolume('db-1', 'pv');

      await xen.moved('db-1', { method: 'staged', pool: 'volumes' });
      expect(await said(xen.two, 'db-1', 'guest: beat 3')).toContain('guest: boot 2 on its disk');
      expect(await xen.copyStarts(guest)).toEqual([]);
      const volumes = (await xen.two.run(['lvs', '--noheadings', '--options', 'lv_name', 'lab'])).trim();
      expect(volumes).toMatch(/^vm-db-1\.[0-9a-f]{8}\.\d+\.xvda$/);
      await xen.two.run(['xl', 'destroy', 'db-1']);
    },
    moveLimitMs,
  );
});
