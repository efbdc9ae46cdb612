import { bringUpXenLab } from '../../infra/lab/xen/lab.ts';
import { describeXl } from '../lab/xl-session.ts';
import { atEnd } from './at-end.ts';
import { said } from './guest.ts';
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
      xl: async (...args) => {
        const { exitCode, ...rest } = await host.exec(['xl', ...args]);
        return { exitCode: exitCode ?? undefined, ...rest };
      },
      writeFile: (name, content) => host.writeFile(`/root/${name}`, content),
      cutCopy: async (from, to, cutBytes) => {
        await host.run(['cp', `/root/${from}`, `/root/${to}`]);
        await host.run(['truncate', '--size', `-${String(cutBytes)}`, `/root/${to}`]);
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
