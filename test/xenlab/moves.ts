import { expect, test } from '@jest/globals';
import { said } from '../../infra/lab/xen/lab-guest.ts';
import type { LabGuest } from '../../infra/lab/xen/lab-guest.ts';
import { moveLimitMs } from './two-hosts.ts';
import type { TwoHosts } from './two-hosts.ts';

/** Moves a guest that runs to xen-2, where it goes on in the same boot. */
export async function goneOver(xen: TwoHosts, name: string): Promise<void> {
  await xen.moved(name, { method: 'live' });
  const console = await xen.two.run(['cat', `/var/log/xen/guest-${name}--incoming.log`]);
  expect(console).not.toContain('guest: up');
  expect(Number(/guest: beat (\d+)/.exec(console)?.[1])).toBeGreaterThan(2);
}

/** Moves that go well wherever the workers are: in their dom0s, or beside them. */
export const moves = {
  stagedVolume: (xen: TwoHosts): void => {
    test(
      'by staged, a PV guest goes from a volume to a volume',
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
  },

  sealedThereAndBack: (xen: TwoHosts): void => {
    test(
      'by sealed, a PVH guest on a raw file goes there, its copy starts by no name, and it comes back',
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
  },

  live: (xen: TwoHosts): void => {
    test(
      'by live, a PVH guest on a LUN goes on where it was',
      async () => {
        await xen.onLun('live-1', 'pvh');
        await said(xen.one, 'live-1', 'guest: beat 2');
        await goneOver(xen, 'live-1');
        await xen.two.run(['xl', 'destroy', 'live-1']);
      },
      moveLimitMs,
    );
  },

  withItsMemory: (xen: TwoHosts, type: LabGuest['type']): void => {
    test(
      `with its memory, a ${type.toUpperCase()} guest goes on where it was`,
      async () => {
        const address = xen.one.linkAddress.replace(/\d+$/, '101');
        const guest = await xen.onRawFile('mem-1', type, { address });
        await said(xen.one, 'mem-1', 'guest: beat 2');
        // The switch between the hosts learns where it is, and the neighbour its MAC address.
        for (const host of [xen.two, xen.one]) await host.run(['ping', '-c', '1', '-w', '10', address]);

        await xen.moved('mem-1', { keepMemory: true, probe: { vifs: true } });
        const console = await said(xen.two, 'mem-1', 'guest: beat');
        expect(console).not.toContain('guest: up');
        expect(Number(/guest: beat (\d+)/.exec(console)?.[1])).toBeGreaterThan(2);
        // The guest tells the switch by itself: the neighbour asks nobody before five seconds are over (arp(7), delay_first_probe_time).
        await xen.one.run(['ping', '-c', '1', '-w', '4', address]);
        expect(await xen.copyStarts(guest)).toEqual([]);
        await xen.two.run(['xl', 'destroy', 'mem-1']);
      },
      moveLimitMs,
    );
  },
};
