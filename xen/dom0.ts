import { join } from 'node:path';
import type { DomainState } from '../domain/survey.ts';
import { readConfigs, readSavedImages } from './at-rest.ts';
import type { AtRest, SavedImage } from './at-rest.ts';
import { readRunningConfig } from './running-config.ts';
import type { Domain, Toolstack } from './toolstack.ts';
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
  /** The configuration in force, as libxl's JSON; null when no domain is there, or `xl` does not tell. */
  running: unknown;
}

/**
 * Every VM of a host: configurations at rest joined with domains by uuid, or by name when the configuration has no uuid, and
 * with autostart links and saved images. Never fails because of one unreadable file: that VM carries a `problem`. Errors of
 * the toolstack go through.
 */
export async function findVms(dom0: Dom0, toolstack: Toolstack): Promise<FoundVm[]> {
  return (await lookAround(dom0, toolstack)).vms;
}

/** The same, with the domains that it was made from. */
export async function lookAround(dom0: Dom0, toolstack: Toolstack): Promise<{ vms: FoundVm[]; domains: Domain[] }> {
  const [domains, running] = await Promise.all([toolstack.list(), toolstack.runningConfigs()]);
  const vms = await joinVms(dom0, domains);
  for (const vm of vms) addRunning(vm, running);
  return { vms, domains };
}

/** The same from files and from domains that the caller has listed; what is in force in the domains is not asked for. */
export async function joinVms(dom0: Dom0, domains: Domain[]): Promise<FoundVm[]> {
  const [configs, images] = await Promise.all([readConfigs(dom0), readSavedImages(dom0)]);
  const found = configs.map((config) => fromConfig(config, domains));
  for (const domain of domains) {
    if (!found.some((vm) => vm.domid === domain.domid)) found.push(fromDomain(domain));
  }
  for (const image of images) addImage(found, image);
  noteDoubles(found);
  return found;
}

function fromConfig(rest: AtRest, domains: Domain[]): FoundVm {
  const domain = domains.find((one) => (rest.uuid === null ? one.name === rest.name : one.uuid === rest.uuid));
  const vm: FoundVm = {
    name: rest.name,
    uuid: rest.uuid ?? domain?.uuid ?? null,
    state: domain?.state ?? 'stopped',
    configPath: rest.path,
    config: rest.config,
    problem: rest.problem,
    autostartPath: rest.autostartPath,
    savedImagePath: null,
    domid: domain?.domid ?? null,
    memoryBytes: domain?.memoryBytes ?? rest.memoryBytes,
    disks: rest.disks,
    running: null,
  };
  if (domain !== undefined && domain.name !== rest.name) vm.problem ??= `its domain runs under the name ${domain.name}`;
  return vm;
}

function fromDomain(domain: Domain): FoundVm {
  return {
    name: domain.name,
    uuid: domain.uuid,
    state: domain.state,
    configPath: null,
    config: null,
    problem: 'its domain has no configuration at rest',
    autostartPath: null,
    savedImagePath: null,
    domid: domain.domid,
    memoryBytes: domain.memoryBytes,
    disks: [],
    running: null,
  };
}

/** While a domain is there, its disks are those that Xen gave it, whatever the file says by now. */
function addRunning(vm: FoundVm, running: { domid: number; config: unknown }[]): void {
  vm.running = running.find(({ domid }) => domid === vm.domid)?.config ?? null;
  // Of a dying domain libxl forgets one device after the other.
  if (vm.domid === null || vm.state === 'dying') return;
  const config = readRunningConfig(vm.running);
  if (config === null) return;
  const places = (disks: XlDisk[]): string =>
    JSON.stringify(disks.map(({ vdev, target }) => `${vdev} ${target ?? ''}`).sort());
  if (vm.config !== null && places(config.disks) !== places(vm.disks)) {
    vm.problem ??= 'the disks of its domain are not those of its configuration';
  }
  vm.disks = config.disks;
}

function addImage(found: FoundVm[], image: SavedImage): void {
  const vm = found.find((one) => (image.uuid !== null && one.uuid === image.uuid) || one.name === image.name);
  if (vm !== undefined) {
    vm.savedImagePath ??= image.path;
    return;
  }
  found.push({
    name: image.name,
    uuid: image.uuid,
    state: 'stopped',
    configPath: null,
    config: null,
    problem: 'its saved image has no configuration at rest',
    autostartPath: null,
    savedImagePath: image.path,
    domid: null,
    memoryBytes: 0,
    disks: [],
    running: null,
  });
}

function noteDoubles(found: FoundVm[]): void {
  for (const vm of found) {
    const others = found.filter((other) => other !== vm);
    if (vm.uuid !== null && others.some((other) => other.uuid === vm.uuid)) {
      vm.problem ??= 'its uuid is also that of another configuration or domain';
    } else if (others.some((other) => other.name === vm.name)) {
      vm.problem ??= 'its name is also that of another configuration or domain';
    }
  }
}
