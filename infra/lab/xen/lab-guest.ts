import { randomUUID } from 'node:crypto';
import type { XenHost } from './host.ts';
import { until } from './until.ts';

export interface LabGuest {
  name: string;
  type: 'pv' | 'pvh';
  /** xl's word for its disk, without a letter and a mode: `/dev/lab/disk`. */
  disk: string;
  /** Its own on the link between the hosts. */
  address?: string;
  /** It obeys the order to shut down by a reboot. */
  rebootsInstead?: boolean;
}

const guestLimitMs = 200_000;

/** Starts the lab's own guest, by a configuration in /etc/xen, and waits until it is up. */
export async function startGuest(
  host: XenHost,
  { name, type, disk, address, rebootsInstead = false }: LabGuest,
): Promise<void> {
  // Drawn once, as an administrator would: without them xl draws new ones at each start.
  const uuid = randomUUID();
  const mac = `00:16:3e:${uuid.slice(0, 2)}:${uuid.slice(2, 4)}:${uuid.slice(4, 6)}`;
  const words = [
    ...(address === undefined ? [] : [`guestip=${address}`]),
    ...(rebootsInstead ? ['reboots_instead'] : []),
  ];
  const config = [
    `uuid = "${uuid}"`,
    `name = "${name}"`,
    `type = "${type}"`,
    'kernel = "/opt/lab/vmlinux"',
    'ramdisk = "/opt/lab/guest-initramfs"',
    `extra = "${['console=hvc0 quiet loglevel=4 mitigations=off nokaslr', ...words].join(' ')}"`,
    'memory = 96',
    'vcpus = 1',
    `vif = [ "mac=${mac},bridge=xenbr0" ]`,
    `disk = [ "${disk},raw,xvda,w" ]`,
    '',
  ].join('\n');
  await host.writeFile(`/etc/xen/${name}.cfg`, config);
  await host.run(['rm', '-f', `/var/log/xen/guest-${name}.log`]);
  await host.run(['xl', 'create', '-q', `/etc/xen/${name}.cfg`]);
  await said(host, name, 'guest: up');
}

/** Waits until the guest has written that to its console, so many times. */
export async function said(host: XenHost, name: string, text: string, times = 1): Promise<string> {
  const log = `/var/log/xen/guest-${name}.log`;
  return until(guestLimitMs, `${name} on ${host.name} says "${text}"`, async () => {
    const { stdout } = await host.exec(['cat', log]);
    return stdout.split(text).length > times ? stdout : null;
  });
}
