import { beforeAll, expect, test } from '@jest/globals';
import { z } from 'zod';
import type { FencePlaces } from '../../deed/places.ts';
import type { XenHost } from '../../infra/lab/xen/host.ts';
import { bringUpXenLab } from '../../infra/lab/xen/lab.ts';
import type { XenLab } from '../../infra/lab/xen/lab.ts';
import type { Mark } from '../../storage/mark.ts';
import { volume } from '../../storage/volume.ts';
import { able } from './able.ts';
import { atEnd } from './at-end.ts';
import { said, startGuest } from './guest.ts';
import { until } from './until.ts';
import { actOnVolumes, doOnVolumes, installVolumeDriver } from './volume-acts.ts';

const mark: Mark = {
  v: 1,
  lineage: '1'.repeat(32),
  token: 2,
  role: 'source',
  vmUuid: '00000000-0000-4000-8000-000000000001',
  vmName: 'web-1',
};
const placed = z.object({ path: z.string(), volume: volume.optional(), unfit: z.string().nullable() });
const allocated = z.object({ path: z.string(), volume });
const MiB = 1024 * 1024;
const goneLimitMs = 200_000;

able('logical volumes on real Xen', () => {
  let lab: XenLab;
  let one: XenHost;
  beforeAll(async () => {
    lab = await bringUpXenLab();
    atEnd(() => lab.down());
    [one] = lab.hosts;
    await installVolumeDriver(one);
  }, 900_000);

  async function lvcreate(...args: string[]): Promise<void> {
    await one.run(['lvcreate', '--quiet', '--yes', ...args]);
  }

  async function placeOf(target: string): Promise<z.infer<typeof placed>> {
    return placed.parse(await doOnVolumes(one, { act: 'place', target }));
  }

  async function digestOf(path: string): Promise<string> {
    return (await one.run(['sha256sum', path])).slice(0, 64);
  }

  /** Tries to start the VM as somebody could who knows nothing of the fence; gives what was not refused. */
  async function attempts(): Promise<string[]> {
    const started: string[] = [];
    for (const config of ['old.cfg', 'copy.cfg', 'mapper.cfg']) {
      const { exitCode, stderr } = await one.exec(['xl', 'create', '-q', `/root/${config}`]);
      // For want of a disk, and for nothing else.
      if (exitCode === 0 || !stderr.includes('failed to stat')) started.push(config);
    }
    return started;
  }

  async function stop(name: string): Promise<void> {
    await one.run(['xl', 'destroy', name]);
    await until(goneLimitMs, `${name} is gone`, async () =>
      (await one.run(['xl', 'list'])).includes(`${name} `) ? null : true,
    );
  }

  test('a guest that writes is fenced off its volume, through a power cut and a reboot, and gets it back', async () => {
    await lvcreate('--size', '64M', '--name', 'web-1', 'lab');
    await one.run(['mkfs.ext4', '-q', '/dev/lab/web-1']);
    await startGuest(one, { name: 'web-1', type: 'pv', disk: '/dev/lab/web-1' });
    await said(one, 'web-1', 'guest: beat 3');

    const place = await placeOf('/dev/mapper/lab-web--1');
    expect(place).toMatchObject({ path: '/dev/lab/web-1', volume: { group: 'lab', name: 'web-1' }, unfit: null });
    const disk = { vdev: 'xvda', path: place.path, volume: volume.parse(place.volume) };
    const places: FencePlaces = {
      disks: [disk],
      configPath: '/etc/xen/web-1.cfg',
      autostartPath: '/etc/xen/auto/web-1.cfg',
      savedImagePath: null,
      asideFolder: `/etc/xen/sealift/${mark.lineage}.2`,
    };
    await one.run(['ln', '-sf', '/etc/xen/web-1.cfg', '/etc/xen/auto/web-1.cfg']);
    const config = await one.run(['cat', '/etc/xen/web-1.cfg']);
    const other = config.replace('name = "web-1"', 'name = "other"').replace(/uuid = "[^"]*"\n/, '');
    await one.writeFile('/root/old.cfg', config);
    await one.writeFile('/root/copy.cfg', other);
    await one.writeFile('/root/mapper.cfg', other.replace('/dev/lab/web-1,raw,', 'phy:/dev/mapper/lab-web--1,'));

    // The backend of a guest has no process: the kernel's count shows it.
    const busy = await actOnVolumes(one, { act: 'fence', places, mark });
    expect(busy).toMatchObject([{ failed: { type: 'disk-busy' } }]);
    await stop('web-1');
    await one.run(['sync']);
    const locked = `/dev/lab/sealift-${disk.volume.uuid}`;
    const prove = { act: 'prove', places, mark } as const;
    const look = { act: 'look', disk } as const;
    expect(await doOnVolumes(one, { act: 'fence', places, mark }, prove, look)).toEqual({ path: locked, mark });
    const digest = await digestOf(locked);
    expect(await attempts()).toEqual([]);

    for (const comesBack of [
      async (): Promise<void> => {
        await one.powerCut();
        await one.powerOn();
      },
      () => one.reboot(),
    ]) {
      await comesBack();
      expect(await one.run(['xl', 'list'])).not.toContain('web-1');
      expect(await attempts()).toEqual([]);
      await doOnVolumes(one, prove);
      expect(await digestOf(locked)).toBe(digest);
    }

    const undone = await doOnVolumes(one, { act: 'unfence', places, mark }, look);
    expect(undone).toEqual({ path: '/dev/lab/web-1', mark: null });
    expect(await digestOf('/dev/lab/web-1')).toBe(digest);
    await one.run(['rm', '-f', '/var/log/xen/guest-web-1.log']);
    await one.run(['xl', 'create', '-q', '/etc/xen/web-1.cfg']);
    expect(await said(one, 'web-1', 'guest: beat')).toMatch(/boot 2/);
    await stop('web-1');
  }, 900_000);

  test('a fence that is killed beside the rename goes on, and comes off', async () => {
    await lvcreate('--size', '8M', '--name', 'cut', 'lab');
    const place = await placeOf('/dev/lab/cut');
    const disk = { vdev: 'xvda', path: place.path, volume: volume.parse(place.volume) };
    const asideFolder = '/etc/xen/sealift/cut';
    const places = { disks: [disk], configPath: null, autostartPath: null, savedImagePath: null, asideFolder };
    const [put, take, prove] = [
      { act: 'fence', places, mark } as const,
      { act: 'unfence', places, mark } as const,
      { act: 'prove', places, mark } as const,
    ];
    for (const dieAfter of ['xvda marked', 'xvda locked']) {
      expect(await actOnVolumes(one, { ...put, dieAfter })).toEqual([]);
      expect(await actOnVolumes(one, put, prove, { ...take, dieAfter: 'xvda unlocked' })).toEqual([]);
      const undone = await doOnVolumes(one, take, { act: 'look', disk });
      expect(undone).toEqual({ path: '/dev/lab/cut', mark: null });
    }
    // Somebody makes another one of its name meanwhile.
    await doOnVolumes(one, put);
    await lvcreate('--size', '8M', '--name', 'cut', 'lab');
    expect(await actOnVolumes(one, prove, take)).toMatchObject([
      { failed: { type: 'fence-failed' } },
      { failed: { type: 'unknown-state' } },
    ]);
  }, 600_000);

  test('what cannot be fenced by its name says why', async () => {
    await lvcreate('--size', '8M', '--name', 'origin', 'lab');
    await lvcreate('--size', '8M', '--snapshot', '--name', 'snap', 'lab/origin');
    const node = (await one.run(['readlink', '-f', '/dev/lab/cut'])).trim();
    await one.run(['ln', '-s', '/dev/lab/cut', '/dev/beside']);
    const [major = '', minor = ''] = (await one.run(['stat', '-c', '%Hr %Lr', node])).trim().split(' ');
    await one.run(['mknod', '/dev/by-number', 'b', major, minor]);
    const targets = ['/dev/lab/origin', '/dev/lab/snap', '/dev/beside', '/dev/by-number'];
    expect(await actOnVolumes(one, ...targets.map((target) => ({ act: 'place' as const, target })))).toMatchObject([
      { done: { unfit: 'it has snapshots, which would go with it' } },
      { done: { unfit: 'it is a snapshot' } },
      { done: { path: '/dev/lab/cut', unfit: null } },
      { failed: { type: 'fence-failed', message: expect.stringContaining('under any name') } },
    ]);
  }, 600_000);

  test('a landing gets a volume of its own, marked from its making and with zeros behind its end', async () => {
    // What others left on the devices below.
    await lvcreate('--size', '64M', '--name', 'old', 'lab');
    await one.run(['sh', '-c', 'yes | head -c 64M >/dev/lab/old; sync']);
    await one.run(['lvremove', '--quiet', '--yes', 'lab/old']);
    const landing: Mark = { ...mark, role: 'landing' };
    const pool = { name: 'fast', kind: 'lvm', group: 'lab' } as const;
    const asked = {
      act: 'allocate',
      pool,
      name: 'vm-web-1.11111111.2.xvda',
      sizeBytes: 9 * MiB + 512,
      mark: landing,
    } as const;
    const made = allocated.parse(await doOnVolumes(one, asked));
    const disk = { vdev: 'xvda', ...made };
    expect(await actOnVolumes(one, { act: 'look', disk }, asked)).toEqual([
      { done: { path: made.path, mark: landing } },
      { done: made },
    ]);
    expect((await one.run(['blockdev', '--getsize64', made.path])).trim()).toBe(String(12 * MiB));
    const tail = ['sh', '-c', `tail -c +${String(9 * MiB + 513)} ${made.path} | tr -d '\\0' | wc -c`];
    expect((await one.run(tail)).trim()).toBe('0');

    const refused = await actOnVolumes(
      one,
      { ...asked, mark: { ...landing, lineage: '2'.repeat(32) } },
      { ...asked, name: 'huge', sizeBytes: 9e9 },
      { act: 'space', pool: { ...pool, group: 'none' } },
    );
    expect(refused).toMatchObject([
      { failed: { type: 'unknown-state' } },
      { failed: { type: 'no-space' } },
      { failed: { type: 'bad-config' } },
    ]);
  }, 600_000);

  test('a thin pool gives its own space', async () => {
    await lvcreate('--type', 'thin-pool', '--size', '64M', '--name', 'pool0', 'lab');
    const pool = { name: 'thin', kind: 'lvm', group: 'lab', thin: 'pool0' } as const;
    const landing: Mark = { ...mark, role: 'landing' };
    const asked = { act: 'allocate', pool, name: 'vm-thin', sizeBytes: 48 * MiB, mark: landing } as const;
    const space = { act: 'space', pool } as const;
    const [before, made] = await actOnVolumes(one, space, asked);
    expect(before).toMatchObject({ done: { freeBytes: 64 * MiB, totalBytes: 64 * MiB } });
    const { path } = z.object({ done: allocated }).parse(made).done;
    await one.run(['dd', 'if=/dev/urandom', `of=${path}`, 'bs=1M', 'count=32', 'oflag=direct']);
    expect(await actOnVolumes(one, space, { ...asked, name: 'vm-second' })).toMatchObject([
      { done: { freeBytes: 32 * MiB } },
      { failed: { type: 'no-space' } },
    ]);
  }, 600_000);
});
