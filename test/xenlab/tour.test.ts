import { expect, test } from '@jest/globals';
import type { XenHost } from '../../infra/lab/xen/host.ts';
import { said } from '../../infra/lab/xen/lab-guest.ts';
import { startStrongSwan } from '../../infra/lab/xen/strongswan.ts';
import { troubles, until } from '../support/until.ts';
import { goneOver } from './moves.ts';
import { moveLimitMs, onXen, pastCede } from './two-hosts.ts';

const MiB = 1024 * 1024;

// What CI tries on real Xen in as little time as it takes: each method with each type of guest that Xen allows it for, fences, refusals and five faults. The other files try each of them by
// itself, and more.
onXen('a tour of two real Xen hosts', (xen) => {
  test(
    'a PV guest goes from volume to volume by staged with its memory, its copy starts by no name, and it comes back to a file through an IPsec tunnel, to a host whose xenconsoled is dead',
    async () => {
      const guest = await xen.onVolume('cold-1', 'pv');
      const over = { method: 'staged', keepMemory: true, pool: 'volumes', probe: { console: 'guest: beat' } } as const;
      await xen.moved(guest.name, over);
      expect(await said(xen.two, guest.name, 'guest: beat')).not.toContain('guest: up');
      expect(await xen.copyStarts(guest)).toEqual([]);
      for (const host of xen.lab.hosts) await startStrongSwan(host);
      // xl waits for it to make a console, and gives up.
      await xen.one.run(['pkill', '-KILL', 'xenconsoled']);
      const back = await xen.on.sealift.migrate({ vm: guest.name, from: 'xen-2', to: 'xen-1', method: 'tunnel' });
      await until(back, (at) => troubles(at).includes('xl create')).finally(() => startConsoles(xen.one));
      expect((await back.result()).body).toMatchObject({ destination: { name: 'xen-1' } });
      await xen.runsOnlyOn(xen.one, guest.name);
      await xen.one.run(['xl', 'destroy', guest.name]);
    },
    moveLimitMs,
  );

  test(
    'a PVH guest on a LUN goes over live, and comes back with its memory',
    async () => {
      await xen.onLun('live-1', 'pvh');
      await said(xen.one, 'live-1', 'guest: beat 2');
      await goneOver(xen, 'live-1');
      await xen.movedBack('live-1', { keepMemory: true, probe: { console: 'guest: beat' } });
      // It is in the boot that it began with.
      const console = await xen.one.run(['cat', '/var/log/xen/guest-live-1.log']);
      expect(console.split('guest: up').length).toBe(2);
      expect(console).not.toContain('guest: cannot write');
      await xen.one.run(['xl', 'destroy', 'live-1']);
    },
    moveLimitMs,
  );

  test(
    'what cannot move is refused, and so is a move to a pool that has become full: the guest runs on',
    async () => {
      const guest = await xen.onRawFile('stays-1', 'pv');
      const ask = { vm: guest.name, from: 'xen-1', to: 'xen-2' };
      const { concerns } = await xen.on.sealift.plan({ ...ask, method: 'live' });
      const refused = concerns.filter(({ severity }) => severity === 'refuses').map(({ name }) => name);
      expect(refused.sort()).toEqual(['live-disk', 'live-guest-type']);
      await xen.two.run(['lvcreate', '--quiet', '--yes', '--extents', '100%FREE', '--name', 'rest', 'lab']);
      const full = await xen.on.sealift.migrate({ ...ask, pool: 'volumes' });
      await expect(full.result()).rejects.toMatchObject({ type: 'no-space' });
      await xen.runsOnlyOn(xen.one, guest.name);
      await xen.one.run(['xl', 'destroy', guest.name]);
    },
    moveLimitMs,
  );

  test(
    'the link is cut as a disk crosses, the destination loses its power, and so does the source when it has ceded: the guest runs at the destination alone',
    async () => {
      const { one, two } = xen;
      const guest = await xen.onRawFile('faults-1', 'pvh', { noiseMib: 24 });
      await one.run(['mkdir', '-p', '/etc/xen/auto']);
      await one.run(['ln', '-s', `/etc/xen/${guest.name}.cfg`, `/etc/xen/auto/${guest.name}.cfg`]);
      const ask = { vm: guest.name, from: 'xen-1', to: 'xen-2', limitBytesPerSecond: MiB };
      const move = await xen.on.sealift.migrate(ask);
      await until(move, ({ verifiedBytes }) => verifiedBytes > 0);
      await xen.lab.setLink({ lossPercent: 100 });
      await until(move, (at) => troubles(at).trim() !== '').finally(() => xen.lab.setLink({}));
      await two.powerCut();
      await two.powerOn();
      await xen.on.startWorker(two);
      await pastCede(move);
      await one.powerCut();
      expect(await said(two, guest.name, 'guest: beat 1')).toContain('guest: boot 2 on its disk');
      await one.powerOn();
      await xen.on.startWorker(one);
      expect((await move.result()).body).toMatchObject({ destination: { name: 'xen-2' } });
      await xen.runsOnlyOn(two, guest.name);
      expect(await xen.copyStarts(guest)).toEqual([]);
    },
    2 * moveLimitMs,
  );
});

/** As the lab's dom0 does at its boot. */
async function startConsoles(host: XenHost): Promise<void> {
  const words = ['--pid-file=/run/xenconsoled.pid', '--log=all', '--log-dir=/var/log/xen'];
  await host.run(['/usr/lib/xen-4.17/bin/xenconsoled', ...words]);
}
