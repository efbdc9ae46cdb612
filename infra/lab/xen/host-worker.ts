import { parseHostFile } from '../../../domain/host-file.ts';
import type { ContainerServer, HostFile } from '../../../domain/host-file.ts';
import type { XenHost } from './host.ts';
import type { Target } from './target.ts';

/** The folder of each dom0 that raw disks are in. */
export const poolPath = '/srv/sealift/pool';
export const arrivedPath = '/srv/sealift/incoming';

/** A host's worker, wherever it runs. */
export interface HostWorker {
  /** Makes the host, which has its identity already. */
  prepare(): Promise<void>;
  /** Starts it, again too when its machine was off, and waits until it is ready. */
  start(): Promise<void>;
  /** Ends it as far as its machine does not, and keeps its log. */
  end(): Promise<void>;
}

export interface HostPlan {
  host: XenHost;
  peers: HostFile['peer'];
  /** Where its identity was drawn, on this machine. */
  folder: string;
  temporalAddress: string;
  /** The lab's, which both hosts reach. */
  target: Target;
}

/** The file of a lab's host, but for what depends on where its worker is. */
export function commonHostFile(
  { host, peers, target }: HostPlan,
  own: { state: string; landing: string; port: number },
): HostFile {
  const file = parseHostFile(
    [
      `name = "${host.name}"`,
      `site = "${host.name}"`,
      `state = "${own.state}"`,
      '[xen]',
      // An emulated processor on a busy machine.
      'limit_seconds = 150',
      'default_bridge = "xenbr0"',
      '[landing]',
      `address = "${own.landing}"`,
      `port = ${String(own.port)}`,
      '[[pool]]',
      'name = "fast"',
      'kind = "folder"',
      `path = "${poolPath}"`,
      '[[pool]]',
      'name = "volumes"',
      'kind = "lvm"',
      'group = "lab"',
      '[limits]',
      'stall_seconds = 120',
      'connect_seconds = 300',
      '',
    ].join('\n'),
    'host.toml',
  );
  file.xen.paths = Object.fromEntries(['/opt/lab/vmlinux', '/opt/lab/guest-initramfs'].map((path) => [path, path]));
  file.xen.consoles = '/var/log/xen';
  file.iscsi = [{ name: target.name, portal: target.portal }];
  file.peer = peers;
  return file;
}

/** Dom0's SSH server, as the other host reaches it. */
export function containerServerOf({ linkAddress, ssh: { port, user, hostKey } }: XenHost): ContainerServer {
  return { folder: arrivedPath, address: linkAddress, port, user, host_key: hostKey };
}
