import { expect, test } from '@jest/globals';
import type { LabGuest } from '../../infra/lab/xen/lab-guest.ts';
import { moveLimitMs, onXen, strangerOn } from './two-hosts.ts';
import type { TwoHosts } from './two-hosts.ts';

onXen('fences on real Xen', (xen) => {
  test(
    'a copy that was handed over, on a file or a volume, starts by nothing that an administrator has, before a reboot and after it',
    async () => {
      const { one } = xen;
      const guests = [await xen.onRawFile('web-1', 'pv'), await xen.onVolume('db-1', 'pv')];
      for (const { name } of guests) {
        // As a backup of a running guest would have them.
        await one.run(['cp', `/etc/xen/${name}.cfg`, `/root/${name}.cfg`]);
        await one.run(['xl', 'save', '-c', name, `/root/${name}.save`], { limitMs: moveLimitMs });
      }
      await xen.moved('web-1');
      await xen.moved('db-1', { pool: 'volumes' });
      const [{ disk } = { disk: '' }] = guests;
      const content = await one.run(['sha256sum', disk]);

      for (const guest of guests) await startsByNothing(xen, guest);
      for (const { name } of guests) {
        await one.run(['mkdir', '-p', '/etc/xen/auto', '/var/lib/xen/save']);
        await one.run(['ln', '-s', `/root/${name}.cfg`, `/etc/xen/auto/${name}.cfg`]);
        await one.run(['cp', `/root/${name}.save`, `/var/lib/xen/save/${name}`]);
      }
      await one.reboot();
      expect(await one.run(['cat', '/var/log/xen/xendomains.log'])).not.toBe('');
      expect(await domainsOf(xen)).toEqual([]);
      for (const guest of guests) await startsByNothing(xen, guest);
      expect(await one.run(['sha256sum', disk])).toBe(content);
    },
    2 * moveLimitMs,
  );
});

/** By its own configuration, by another name and uuid, from an image of its memory. */
async function startsByNothing(xen: TwoHosts, guest: LabGuest): Promise<void> {
  const { one } = xen;
  const { name } = guest;
  await one.writeFile(`/root/not-${name}.cfg`, strangerOn(guest));
  for (const words of [
    ['create', '-q', `/root/${name}.cfg`],
    ['create', '-q', `/root/not-${name}.cfg`],
    ['restore', `/root/${name}.save`],
  ])
    expect([words, (await one.exec(['xl', ...words], { limitMs: moveLimitMs })).exitCode]).not.toEqual([words, 0]);
  expect(await domainsOf(xen)).toEqual([]);
}

/** The domains of xen-1, besides dom0. */
async function domainsOf({ one }: TwoHosts): Promise<string[]> {
  const lines = (await one.run(['xl', 'list'])).trim().split('\n').slice(1);
  return lines.map((line) => line.split(' ')[0] ?? '').filter((name) => name !== 'Domain-0');
}
