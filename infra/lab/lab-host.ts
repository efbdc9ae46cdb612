import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, readdir, readFile, realpath, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { killLabProcesses } from './lab-processes.ts';
import { labPlaces } from './places.ts';
import type { LabSettings } from './places.ts';

export { clearFaults, setFault, strikeCount } from './faults.ts';
export { labProcesses } from './lab-processes.ts';

/** A stand-in Xen host. */
export interface LabHost {
  root: string;
  /** The executable that stands for `xl`; it needs `env`. */
  xl: string;
  env: Record<string, string>;
  etcFolder: string;
  autoFolder: string;
  saveFolder: string;
  netFolder: string;
  consoleFolder: string;
}

export type LabHostOptions = Partial<LabSettings>;

export interface LabDisk {
  path: string;
  vdev: string;
  sizeBytes: number;
}

export interface LabVm {
  name: string;
  uuid: string;
  configPath: string;
  autostartPath: string | null;
}

/** Makes a stand-in host under `root`, or takes up the one that is there, with new settings and its VMs as they are. */
export async function makeLabHost(root: string, options: LabHostOptions = {}): Promise<LabHost> {
  await mkdir(root, { recursive: true });
  const places = labPlaces(await realpath(root));
  const folders = [places.autoFolder, places.saveFolder, places.runFolder, places.consoleFolder];
  folders.push(join(places.netFolder, 'xenbr0'));
  for (const folder of folders) await mkdir(folder, { recursive: true });
  const settings: LabSettings = {
    hostName: basename(places.root),
    memoryMib: 8192,
    dom0Mib: 1024,
    xenVersion: '4.17.7',
    xenCaps: 'xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64 ',
    xenCommandLine: null,
    processors: null,
    guestHaltMs: 50,
    dyingMs: 100,
    observer: null,
    ...options,
  };
  await writeFile(places.settingsFile, `${JSON.stringify(settings, null, 2)}\n`);
  return labHost(places.root);
}

function labHost(root: string): LabHost {
  const { etcFolder, autoFolder, saveFolder, netFolder, consoleFolder } = labPlaces(root);
  const xl = join(dirname(fileURLToPath(import.meta.url)), 'xl');
  const env = { SEALIFT_LAB_ROOT: root, SEALIFT_NODE: process.execPath };
  return { root, xl, env, etcFolder, autoFolder, saveFolder, netFolder, consoleFolder };
}

/**
 * Writes the configuration of a VM and makes those of its disks that are not there, empty. The configuration names no kernel of
 * dom0, so that any host can start it; `extraConfig` is added to it as it is (a `type=` there takes the place of HVM).
 * The guest writes a record every 50 ms; `extra = "records_ms=5"` changes that.
 */
export async function addLabVm(
  host: LabHost,
  vm: { name: string; uuid?: string; memoryMib: number; disks: LabDisk[]; autostart?: boolean; extraConfig?: string },
): Promise<LabVm> {
  const uuid = vm.uuid ?? randomUUID();
  for (const disk of vm.disks) await makeDisk(disk);
  const extra = vm.extraConfig ?? '';
  const lines = [
    `name = "${vm.name}"`,
    `uuid = "${uuid}"`,
    ...(/^\s*(type|builder)\s*=/m.test(extra) ? [] : ['type = "hvm"']),
    `memory = ${String(vm.memoryMib)}`,
    'vcpus = 1',
    `disk = [ ${vm.disks.map(({ path, vdev }) => `"${path},raw,${vdev},w"`).join(', ')} ]`,
    `vif = [ "mac=${macOf(uuid)},bridge=xenbr0" ]`,
    extra,
  ];
  const configPath = join(host.etcFolder, `${vm.name}.cfg`);
  await writeFile(configPath, `${lines.join('\n').trimEnd()}\n`);
  if (vm.autostart !== true) return { name: vm.name, uuid, configPath, autostartPath: null };
  const autostartPath = join(host.autoFolder, `${vm.name}.cfg`);
  await rm(autostartPath, { force: true });
  await symlink(configPath, autostartPath);
  return { name: vm.name, uuid, configPath, autostartPath };
}

async function makeDisk({ path, sizeBytes }: LabDisk): Promise<void> {
  if (existsSync(path)) return;
  await mkdir(dirname(path), { recursive: true });
  const file = await open(path, 'wx', 0o600);
  try {
    await file.truncate(sizeBytes);
  } finally {
    await file.close();
  }
}

/** An address of Xen's own range that stays the same for the uuid. */
function macOf(uuid: string): string {
  const digits = uuid.replaceAll('-', '').slice(-6);
  return `00:16:3e:${digits.slice(0, 2)}:${digits.slice(2, 4)}:${digits.slice(4, 6)}`;
}

export interface RebootReport {
  /** Saved images and links of etc/xen/auto that became domains, in this order. */
  started: string[];
  /** Those that did not, with what `xl` said. xendomains exits 0 all the same. */
  failed: { file: string; says: string }[];
}

/**
 * The host loses power and boots: every domain and every running `xl` is killed, what is not on a disk is gone, and then
 * xendomains restores the images in the save folder and starts every link of etc/xen/auto, both in the order of their names.
 */
export async function rebootLabHost(root: string): Promise<RebootReport> {
  await stopLabHost(root);
  const places = labPlaces(await realpath(root));
  const host = labHost(places.root);
  const report: RebootReport = { started: [], failed: [] };
  for (const file of await filesOf(places.saveFolder)) {
    if (!(await readFile(file)).subarray(0, 16).equals(Buffer.from('Xen saved domain'))) continue;
    if (await start(host, file, ['restore', file], report)) await unlink(file);
  }
  for (const file of await filesOf(places.autoFolder)) {
    const name = /^\s*name\s*=\s*["']([^"']*)["']/m.exec(await readFile(file, 'utf8').catch(() => ''))?.[1] ?? '';
    const { exitCode } = await execa(host.xl, ['domid', name], { env: host.env, reject: false });
    if (exitCode !== 0) await start(host, file, ['create', '--quiet', '--defconfig', file], report);
  }
  return report;
}

/** Kills every domain and every running `xl` of the host, and forgets what a reboot forgets. Nothing is left running. */
export async function stopLabHost(root: string): Promise<void> {
  if (!existsSync(root)) return;
  await killLabProcesses(root);
  await rm(labPlaces(root).runFolder, { recursive: true, force: true });
  await mkdir(labPlaces(root).runFolder, { recursive: true });
}

async function start(host: LabHost, file: string, args: string[], report: RebootReport): Promise<boolean> {
  const { exitCode, stderr } = await execa(host.xl, args, { env: host.env, reject: false });
  if (exitCode === 0) report.started.push(file);
  else report.failed.push({ file, says: stderr });
  return exitCode === 0;
}

/** What the script's `*` finds. */
async function filesOf(folder: string): Promise<string[]> {
  const entries = (await readdir(folder)).filter((entry) => !entry.startsWith('.'));
  return entries.sort().map((entry) => join(folder, entry));
}
