import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import type { XenHost } from '../../infra/lab/xen/host.ts';
import { labProcesses } from '../../infra/lab/xen/lab-processes.ts';
import { bringUpXenLab } from '../../infra/lab/xen/lab.ts';
import type { XenLab } from '../../infra/lab/xen/lab.ts';
import { labFolder } from '../../infra/lab/xen/places.ts';
import { able } from './able.ts';
import { atEnd } from './at-end.ts';
import { said, startGuest } from '../../infra/lab/xen/lab-guest.ts';

able('the laboratory of real Xen hosts', () => {
  let lab: XenLab;
  let one: XenHost;
  let two: XenHost;
  beforeAll(async () => {
    lab = await bringUpXenLab();
    atEnd(async () => {
      await lab.down();
      expect(labProcesses(labFolder)).toEqual([]);
      expect((await execa('ip', ['link', 'show'])).stdout).not.toContain(labFolder);
    });
    [one, two] = lab.hosts;
  }, 900_000);

  test('both hosts are Xen, and reach each other and this machine', async () => {
    for (const host of [one, two]) {
      expect(await host.run(['xl', 'info'])).toMatch(/^xen_version +: 4\.17/m);
      expect((await host.run(['hostname'])).trim()).toBe(host.name);
      await host.run(['ping', '-c', '1', '-W', '10', lab.outsideAddress]);
    }
    await one.run(['ping', '-c', '1', '-W', '10', two.linkAddress]);
    expect(await one.run(['ssh', two.linkAddress, 'hostname'])).toBe('xen-2\n');
  });

  test('a command has its words, its input and its exit code as they are', async () => {
    const words = ["it's", '$HOME', '', 'a  b', '*'];
    const printed = await one.exec(['printf', '%s|', ...words]);
    expect(printed).toEqual({ exitCode: 0, stdout: words.map((word) => `${word}|`).join(''), stderr: '' });
    expect(await one.exec(['sh', '-c', 'cat; echo no >&2; exit 7'], { input: 'in' })).toEqual({
      exitCode: 7,
      stdout: 'in',
      stderr: 'no\n',
    });
  });

  test('the link between the hosts is shaped, and the way to this machine is not', async () => {
    await lab.setLink({ roundTripMs: 80, rateMbps: 50 });
    const roundTrip = async (to: string) => {
      const text = await one.run(['ping', '-c', '5', '-i', '0.2', '-q', to]);
      return Number(/= ([\d.]+)\//.exec(text)?.[1]);
    };
    expect(await roundTrip(two.linkAddress)).toBeGreaterThanOrEqual(80);
    expect(await roundTrip(lab.outsideAddress)).toBeLessThan(80);
    await lab.setLink({});
    expect(await roundTrip(two.linkAddress)).toBeLessThan(80);
  });

  describe.each(['pv', 'pvh'] as const)('a %s guest on an LV', (type) => {
    const disk = '/dev/lab/disk';
    afterEach(() => lab.reset());

    test('boots and writes to its disk; a power cut keeps what it has synced', async () => {
      await one.run(['lvcreate', '--quiet', '--yes', '--size', '64M', '--name', 'disk', 'lab']);
      await one.run(['mkfs.ext4', '-q', disk]);
      await startGuest(one, { name: type, type, disk });
      await said(one, type, 'guest: beat 3');
      expect(await one.run(['xl', 'list'])).toMatch(new RegExp(`^${type} `, 'm'));

      await one.powerCut();
      await one.powerOn();
      expect(await one.run(['xl', 'list'])).not.toMatch(new RegExp(`^${type} `, 'm'));
      await one.run(['mount', disk, '/mnt']);
      const beats = (await one.run(['cat', '/mnt/beats'])).trim().split('\n').map(Number);
      expect(beats.length).toBeGreaterThanOrEqual(3);
      expect(beats).toEqual(beats.map((_beat, index) => index + 1));
    });
  });

  test('a reset forgets what was written, in dom0 and at the target', async () => {
    await one.writeFile('/root/mark', 'here');
    await one.run(['sync']);
    await lab.reset();
    expect((await one.exec(['cat', '/root/mark'])).exitCode).toBe(1);
    expect(Math.abs(Number(await one.run(['date', '+%s'])) - Date.now() / 1000)).toBeLessThan(10);
  });

  test('dom0 reboots in order, and its disks are as they were', async () => {
    await two.writeFile('/root/mark', 'here');
    await two.reboot();
    expect(await two.run(['cat', '/root/mark'])).toBe('here');
    expect(await two.run(['xl', 'info'])).toMatch(/^xen_version/m);
  });

  test('both hosts find the disk of the iSCSI target by its serial number', async () => {
    const { portal, name, serial, bytes } = lab.target;
    for (const host of [one, two]) {
      for (const module of ['iscsi_tcp', 'sd_mod']) await host.run(['modprobe', module]);
      await host.run(['iscsid']);
      await host.run(['iscsiadm', '-m', 'discovery', '-t', 'sendtargets', '-p', portal]);
      await host.run(['iscsiadm', '-m', 'node', '-T', name, '-p', portal, '--login']);
      expect(await host.run(['lsblk', '-dnbo', 'SIZE', '/dev/sda'])).toContain(String(bytes));
      expect(await host.run(['sg_inq', '--page=sn', '/dev/sda'])).toContain(serial);
    }
  });
});
