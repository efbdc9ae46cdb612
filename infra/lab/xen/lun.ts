import type { XenHost } from './host.ts';
import type { Target } from './target.ts';
import { until } from './until.ts';

/** What iscsid.socket and udev do on a Debian host. */
export async function startInitiator(host: XenHost): Promise<void> {
  for (const module of ['iscsi_tcp', 'sd_mod']) await host.run(['modprobe', module]);
  if ((await host.exec(['pgrep', '-x', 'iscsid'])).exitCode !== 0) await host.run(['iscsid']);
}

/** Logs a host in to the lab's target, as its administrator does, and gives the device of the disk. */
export async function logIn(host: XenHost, { name, portal }: Target): Promise<string> {
  const node = ['-m', 'node', '-T', name, '-p', portal, '-I', 'default'];
  await host.run(['iscsiadm', ...node, '--op=new']);
  await host.run(['iscsiadm', ...node, '--login']);
  const device = '/dev/sda';
  return until(10_000, 'the LUN is there', async () =>
    (await host.exec(['test', '-b', device])).exitCode === 0 ? device : null,
  );
}

/** Forgets whom a LUN is reserved for. */
export async function freeLun(host: XenHost, device: string): Promise<void> {
  await host.run(['sg_persist', '--out', '--register-ignore', '--param-sark=1', device]);
  await host.run(['sg_persist', '--out', '--clear', '--param-rk=1', device]);
}
