import { bringUpXenLab } from '../../infra/lab/xen/lab.ts';
import { describeXl } from '../lab/xl-session.ts';
import type { XlSubject } from '../lab/xl-session.ts';
import { atEnd } from './at-end.ts';
import { said } from '../../infra/lab/xen/lab-guest.ts';
import { able } from './able.ts';

able('real xl', () => {
  describeXl(async () => {
    const lab = await bringUpXenLab();
    const [host] = lab.hosts;
    atEnd(() => lab.down());
    for (const disk of ['lok', 'other', 'lk2']) {
      await host.run(['lvcreate', '--quiet', '--yes', '--size', '64M', '--name', disk, 'lab']);
    }
    const boots = new Map<string, number>();
    return {
      folder: '/root',
      disk: (name) => `/dev/lab/${name}`,
      kernel: '/opt/lab/vmlinux',
      ramdisk: '/opt/lab/guest-initramfs',
      program: 'xl',
      own,
      xl: async (...args) => {
        const { exitCode, ...rest } = await host.exec(['xl', ...args]);
        return { exitCode: exitCode ?? undefined, ...rest };
      },
      writeFile: (name, content) => host.writeFile(`/root/${name}`, content),
      copyHalf: async (from, to) => {
        // the guest has 96 MiB
        await host.run(['dd', `if=/root/${from}`, `of=/root/${to}`, 'bs=1M', 'count=48', 'status=none']);
      },
      up: async (name) => {
        // its console goes on in the same file at each boot
        boots.set(name, (boots.get(name) ?? 0) + 1);
        await said(host, name, 'guest: up', boots.get(name));
      },
      end: () => Promise.resolve(),
    };
  }, 900_000);
});

/** Another machine than the recorded one, on which real guests run. */
const own: XlSubject['own'] = [
  [/\/opt\/lab\/vmlinux/g, '/srv/guest/vmlinux'],
  [/\/opt\/lab\/guest-initramfs/g, '/srv/guest/guest.cpio'],
  [/^(host|hw_caps|total_memory) .*$/gm, '$1'],
  // a guest is at its turn, or waits
  [/^(\S+ .*) (r-----|-b----|------) /gm, '$1 ALIVE. '],
  [/ (r--|-b-|---) /g, ' AL. '],
  // one that waits may be paused
  [/ -bp--- /g, ' --p--- '],
  // dom0's memory
  [/^(Domain-0 +\d+) +\d+ /gm, '$1 M '],
  [/"(max|target)_memkb": \d{6,}/g, '"$1_memkb": M'],
  [/mfn 0x[0-9a-f]+/g, 'mfn F'],
  // event channels and ring references
  [/ \d+ +(\d+|\d+\/\d+) +(\/local\/domain\/0\/backend\/)/g, ' E R $2'],
];
