import { expect, test } from '@jest/globals';
import { said } from '../../infra/lab/xen/lab-guest.ts';
import type { LabGuest } from '../../infra/lab/xen/lab-guest.ts';
import { moveLimitMs, onXen, strangerOn } from './two-hosts.ts';
import type { TwoHosts } from './two-hosts.ts';

onXen('fences on real Xen', (xen) => {
  test(
    'a copy that was handed over, on a file or a volume, starts by nothing that an administrator has, before a reboot and after it',
    async () => {
      const { one } = xen;
      const guests = [await xen.onRawFile('web-1', 'pv'), await xen.onVolume('db-1', 'pv')];
      for (const guest of guests) {
        const { name } = guest;
        // As a backup would have them.
        await one.run(['cp', `/etc/xen/${name}.cfg`, `/root/${name}.cfg`]);
        await one.run(['xl', 'save', name, `/root/${name}.save`], { limitMs: moveLimitMs });
        await one.writeFile(`/root/not-${name}.cfg`, strangerOn(guest));
        await startsByAll(xen, guest);
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
      expect(await domainsNow(one)).toEqual([]);
      for (const guest of guests) await startsByNothing(xen, guest);
      expect(await one.run(['sha256sum', disk])).toBe(content);
    },
    3 * moveLimitMs,
  );

  test(
    'a guest that reboots when it is to shut down comes back by the xl that watches it, so its disk is not fenced and it does not move',
    async () => {
      const { disk } = await xen.onRawFile('again-1', 'pv', { rebootsInstead: true });
      const move = await xen.on.sealift.migrate({ vm: 'again-1', from: 'xen-1', to: 'xen-2', onStuckGuest: 'abort' });
      await expect(move.result()).rejects.toMatchObject({ type: 'guest-stuck' });
      await said(xen.one, 'again-1', 'guest: boot 2 on its disk');
      await xen.runsOnlyOn(xen.one, 'again-1');
      expect(await xen.one.run(['lsattr', disk])).not.toMatch(/^-+i/);
      await xen.one.run(['xl', 'destroy', 'again-1']);
    },
    moveLimitMs,
  );
});

/** By its own configuration, by another name and uuid, from an image of its memory. */
function waysOf({ name }: LabGuest): string[][] {
  return [
    ['create', '-q', `/root/${name}.cfg`],
    ['create', '-q', `/root/not-${name}.cfg`],
    ['restore', `/root/${name}.save`],
  ];
}

/** Without a fence each of the ways starts a guest, so that it says something when none does. Begins without a guest, and leaves it running. */
async function startsByAll({ one }: TwoHosts, guest: LabGuest): Promise<void> {
  for (const words of waysOf(guest).reverse()) {
    await one.run(['xl', ...words], { limitMs: moveLimitMs });
    const started = words.includes(`/root/not-${guest.name}.cfg`) ? `not-${guest.name}` : guest.name;
    if (words[2] !== `/root/${guest.name}.cfg`) await one.run(['xl', 'destroy', started]);
  }
}

/** What xl says of a file that cannot be attached, and of a volume that is not there. */
const noDisk = /losetup .* failed|failed to stat|unable to add disk devices/;

async function startsByNothing(xen: TwoHosts, guest: LabGuest): Promise<void> {
  for (const words of waysOf(guest)) {
    const { exitCode, stdout, stderr } = await xen.one.exec(['xl', ...words], { limitMs: moveLimitMs });
    expect([words, exitCode]).not.toEqual([words, 0]);
    expect(`${stdout}${stderr}`).toMatch(noDisk);
  }
  expect(await domainsNow(xen.one)).toEqual([]);
}

/** The domains of a host, besides dom0. */
async function domainsNow(host: TwoHosts['one']): Promise<string[]> {
  const lines = (await host.run(['xl', 'list'])).trim().split('\n').slice(1);
  return lines.map((line) => line.split(' ')[0] ?? '').filter((name) => name !== 'Domain-0');
}
