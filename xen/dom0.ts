import { join } from 'node:path';
import type { DomainState } from '../domain/survey.ts';
import type { Toolstack } from './toolstack.ts';
import type { XlConfig, XlDisk } from './xl-config/types.ts';

/** Where dom0 keeps what this host's VMs are made of. */
export interface Dom0 {
  /** Configurations at rest: `*.cfg`. */
  etcFolder: string;
  /** What xendomains starts at boot: links to configurations, or copies. */
  autoFolder: string;
  /** Saved images that xendomains restores at boot. */
  saveFolder: string;
}

/** The places of a dom0 as Debian lays them out; `root` stands for `/`. */
export function dom0At(root = '/'): Dom0 {
  return {
    etcFolder: join(root, 'etc/xen'),
    autoFolder: join(root, 'etc/xen/auto'),
    saveFolder: join(root, 'var/lib/xen/save'),
  };
}

/** One VM of a host, running or at rest. */
export interface FoundVm {
  name: string;
  uuid: string | null;
  /** `stopped` when no domain is there. */
  state: DomainState;
  configPath: string | null;
  config: XlConfig | null;
  /** Trouble in one line, when the VM cannot be read as a whole. */
  problem: string | null;
  autostartPath: string | null;
  savedImagePath: string | null;
  domid: number | null;
  /** What a running domain holds, else what the configuration asks for. */
  memoryBytes: number;
  /** Of the running domain when there is one, else of the configuration; in its order. */
  disks: XlDisk[];
}

/**
 * Every VM of a host: domains joined by uuid, then by name, with configurations at rest, autostart links and saved images.
 * Never fails because of one unreadable file: that VM carries a `problem`. Errors of the toolstack go through.
 */
export async function findVms(dom0: Dom0, toolstack: Toolstack): Promise<FoundVm[]> {
  const { joinVms } = await import('./join-vms.ts');
  return joinVms(dom0, toolstack);
}
