import { beforeAll, expect, test } from '@jest/globals';
import type { MigrateRequest } from '../../client/index.ts';
import type { XenHost } from '../../infra/lab/xen/host.ts';
import { bringUpXenLab } from '../../infra/lab/xen/lab.ts';
import type { XenLab } from '../../infra/lab/xen/lab.ts';
import { testCache } from '../support/cache.ts';
import { able } from './able.ts';
import { atEnd } from './at-end.ts';
import { said, startGuest } from '../../infra/lab/xen/lab-guest.ts';
import type { LabGuest } from '../../infra/lab/xen/lab-guest.ts';
import { poolPath, startSealiftOnXen } from '../../infra/lab/xen/sealift-on-xen.ts';
import type { SealiftOnXen } from '../../infra/lab/xen/sealift-on-xen.ts';
import { until } from '../../infra/lab/xen/until.ts';

const moveLimitMs = 600_000;

able('moves between real Xen hosts', () => {
  let lab: XenLab;
  let one: XenHost;
  let two: XenHost;
  let on: SealiftOnXen;
  beforeAll(async () => {
    lab = await bringUpXenLab();
    atEnd(() => lab.down());
    [one, two] = lab.hosts;
    on = await startSealiftOnXen(lab, { cacheFolder: testCache });
    atEnd(() => on.close());
  }, 900_000);

  async function onRawFile(name: string, type: LabGuest['type']): Promise<LabGuest> {
    const guest = { name, type, disk: `${poolPath}/${name}.raw` };
    await one.run(['truncate', '--size', '16M', guest.disk]);
    await adopted(guest);
    return guest;
  }

  async function adopted(guest: LabGuest): Promise<void> {
    await one.run(['mkfs.ext4', '-q', guest.disk]);
    await startGuest(one, guest);
    await on.sealift.adopt({ vm: guest.name, host: 'xen-1', by: 'test' });
  }

  async function moved(vm: string, how: Partial<MigrateRequest> = {}): Promise<void> {
    const { body } = await (await on.sealift.migrate({ vm, from: 'xen-1', to: 'xen-2', ...how })).result();
    expect(body).toMatchObject({ vmName: vm, destination: { name: 'xen-2' } });
    expect(body.probe.filter(({ passed }) => !passed)).toEqual([]);
    await runsOnlyOn(two, vm);
  }

  async function runsOnlyOn(host: XenHost, vm: string): Promise<void> {
    for (const each of lab.hosts)
      expect((await each.run(['xl', 'list'])).split('\n').some((line) => line.startsWith(`${vm} `))).toBe(
        each === host,
      );
  }

  /** Tries to start the copy that was left on xen-1, as somebody could who knows nothing of the fence. */
  async function copyStarts({ name, disk }: LabGuest): Promise<string[]> {
    const other = [
      'name = "other"',
      'type = "pvh"',
      'kernel = "/opt/lab/vmlinux"',
      'ramdisk = "/opt/lab/guest-initramfs"',
      'memory = 64',
      `disk = [ "${disk},raw,xvda,w" ]`,
      '',
    ];
    await one.writeFile('/root/other.cfg', other.join('\n'));
    const started: string[] = [];
    for (const path of [`/etc/xen/${name}.cfg`, '/root/other.cfg'])
      if ((await one.exec(['xl', 'create', '-q', path])).exitCode === 0) started.push(path);
    return started;
  }

  test(
    'sealed: a PVH guest on a raw file goes there, its copy starts by no name, and it comes back',
    async () => {
      const guest = await onRawFile('web-1', 'pvh');

      await moved('web-1');
      expect(await said(two, 'web-1', 'guest: beat 3')).toContain('guest: boot 2 on its disk');
      expect(await copyStarts(guest)).toEqual([]);
      expect(await one.run(['lsattr', guest.disk])).toMatch(/^-+i/);

      const back = await on.sealift.revert({ vm: 'web-1', confirm: 'web-1' });
      expect(await back.result()).toMatchObject({ host: 'xen-1', started: true });
      await runsOnlyOn(one, 'web-1');
      await said(one, 'web-1', 'guest: boot 2 on its disk');
      await one.run(['xl', 'destroy', 'web-1']);
    },
    moveLimitMs,
  );

  test(
    'staged: a PV guest goes from a volume to a volume',
    async () => {
      const guest: LabGuest = { name: 'db-1', type: 'pv', disk: '/dev/lab/db-1' };
      await one.run(['lvcreate', '--quiet', '--yes', '--size', '16M', '--name', 'db-1', 'lab']);
      await adopted(guest);

      await moved('db-1', { method: 'staged', pool: 'volumes' });
      expect(await said(two, 'db-1', 'guest: beat 3')).toContain('guest: boot 2 on its disk');
      expect(await copyStarts(guest)).toEqual([]);
      const volumes = (await two.run(['lvs', '--noheadings', '--options', 'lv_name', 'lab'])).trim();
      expect(volumes).toMatch(/^vm-db-1\.[0-9a-f]{8}\.\d+\.xvda$/);
      await two.run(['xl', 'destroy', 'db-1']);
    },
    moveLimitMs,
  );

  test(
    'sealed with its memory: a PV guest goes on where it was',
    async () => {
      const guest = await onRawFile('mem-1', 'pv');
      await said(one, 'mem-1', 'guest: beat 2');

      await moved('mem-1', { keepMemory: true });
      const console = await said(two, 'mem-1', 'guest: beat');
      expect(console).not.toContain('guest: up');
      expect(Number(/guest: beat (\d+)/.exec(console)?.[1])).toBeGreaterThan(2);
      expect(await copyStarts(guest)).toEqual([]);
      await two.run(['xl', 'destroy', 'mem-1']);
    },
    moveLimitMs,
  );

  test(
    'the source loses power when it has ceded: it does not start the guest, and the move ends well',
    async () => {
      const guest = await onRawFile('dark-1', 'pvh');
      await one.run(['mkdir', '-p', '/etc/xen/auto']);
      await one.run(['ln', '-s', '/etc/xen/dark-1.cfg', '/etc/xen/auto/dark-1.cfg']);

      const move = await on.sealift.migrate({ vm: 'dark-1', from: 'xen-1', to: 'xen-2' });
      await until(moveLimitMs, 'the move is past its cede', async () =>
        ['start', 'probe', 'done'].includes((await move.status()).phase) ? true : null,
      );
      await one.powerCut();
      await said(two, 'dark-1', 'guest: beat 1');
      await one.powerOn();
      await on.startWorker(one);
      expect((await move.result()).body).toMatchObject({ destination: { name: 'xen-2' } });
      await runsOnlyOn(two, 'dark-1');
      expect(await copyStarts(guest)).toEqual([]);
    },
    moveLimitMs,
  );
});
