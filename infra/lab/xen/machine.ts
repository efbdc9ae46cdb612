import { mkdir, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import type { Image } from './image.ts';
import { killLabProcesses, labProcesses } from './lab-processes.ts';
import { monitorCommand } from './monitor.ts';
import { cable } from './network.ts';
import type { HostName } from './places.ts';

/** The emulated machine of a host: everything of it lies in `folder`, its logs in `logFolder`. */
export interface Machine {
  name: HostName;
  /** Of the lab. */
  number: number;
  folder: string;
  logFolder: string;
  image: Image;
  /** Sealift's worker on a disk of its own, which dom0 mounts after the snapshot: what is on it may change without a new one. */
  workerPath: string;
}

const program = 'qemu-system-x86_64';
const dataDiskBytes = 8 * 1024 ** 3;
const bootLimitMs = 300_000;
/**
 * Set by trials: no KVM, under which Xen does not start; no SMAP, which QEMU 7.2 gets wrong for IRET; nested paging, without which Debian's Xen
 * has no way to run PVH guests.
 */
const cpu = 'qemu64,+fsgsbase,+svm,+npt';
export const memoryMib = 1536;
const dom0Mib = 768;

/** The disks of a machine that was never started. */
export async function makeDisks(machine: Machine): Promise<void> {
  await mkdir(machine.folder, { recursive: true, mode: 0o700 });
  const create = ['create', '-q', '-f', 'qcow2'];
  await execa('qemu-img', [...create, '-F', 'raw', '-b', machine.image.rootPath, diskPath(machine, 'root')]);
  await execa('qemu-img', [...create, diskPath(machine, 'data'), String(dataDiskBytes)]);
}

/** Switches the machine on, and waits until its dom0 is up. */
export async function boot(machine: Machine): Promise<void> {
  const from = await consoleBytes(machine);
  await launch(machine, []);
  await saidReady(machine, from);
}

/** Switches the machine on as it was when `takeSnapshot` was called. */
export async function resume(machine: Machine): Promise<void> {
  await launch(machine, ['-loadvm', 'clean']);
}

/** Keeps memory, devices and disks, within the disks' files, and ends the machine. */
export async function takeSnapshot(machine: Machine): Promise<void> {
  await monitorCommand(join(machine.folder, 'monitor'), 'savevm clean');
  await monitorCommand(join(machine.folder, 'monitor'), 'quit').catch(() => undefined);
  await ended(machine);
}

/** What dom0 has not synced is lost. */
export async function cutPower(machine: Machine): Promise<void> {
  await killLabProcesses(machine.folder);
}

/** Resolves when the machine is off by itself. */
export async function ended(machine: Machine, limitMs = bootLimitMs): Promise<void> {
  const end = performance.now() + limitMs;
  while (labProcesses(machine.folder).length > 0) {
    if (performance.now() > end) throw new Error(`${machine.name} does not switch itself off`);
    await sleep(50);
  }
}

export function consolePath(machine: Machine): string {
  return join(machine.logFolder, `${machine.name}.console`);
}

async function launch(machine: Machine, more: string[]): Promise<void> {
  await mkdir(machine.logFolder, { recursive: true, mode: 0o700 });
  // It daemonizes when the machine runs, so what keeps it from running is told here.
  await execa(program, [...machineArguments(machine), ...more], { stdin: 'ignore', timeout: bootLimitMs });
}

/** What a snapshot can only be resumed with: the same words. */
export function machineArguments(machine: Machine): string[] {
  const { name, number, folder, image, workerPath } = machine;
  const host = name.slice(-1);
  const xen = `dom0_mem=${dom0Mib}M,max:${dom0Mib}M dom0_max_vcpus=1 dom0_vcpus_pin console=com1 com1=115200,8n1 loglvl=warning guest_loglvl=warning spec-ctrl=no xpti=no pcid=no smt=0 watchdog=0 sched=credit2 ucode=no`;
  const linux = `console=hvc0 net.ifnames=0 mitigations=off nokaslr quiet loglevel=4 selinux=0 apparmor=0 audit=0 labhost=${host} labnet=${String(number)}`;
  return [
    ...['-name', name, '-machine', 'q35', '-accel', 'tcg,thread=multi,tb-size=512', '-cpu', cpu, '-smp', '1'],
    ...['-m', String(memoryMib), '-nodefaults', '-display', 'none', '-no-reboot', '-daemonize'],
    ...['-pidfile', join(folder, 'pid'), '-qmp', `unix:${join(folder, 'monitor')},server=on,wait=off`],
    ...['-chardev', `file,id=console,path=${consolePath(machine)},append=on`, '-serial', 'chardev:console'],
    // The first word is taken for the name of the image.
    ...['-kernel', image.xenPath, '-append', `xen ${xen}`],
    ...['-initrd', `${image.kernelPath} ${linux},${image.initramfsPath}`],
    ...drive('root', diskPath(machine, 'root'), 'qcow2'),
    ...drive('data', diskPath(machine, 'data'), 'qcow2'),
    ...drive('tools', image.toolsPath, 'raw', ',readonly=on'),
    ...drive('worker', workerPath, 'raw', ',readonly=on'),
    ...nic(cable(number, 'management', name), `52:54:00:00:00:0${host}`),
    ...nic(cable(number, 'link', name), `52:54:00:00:01:0${host}`),
    ...['-device', 'virtio-rng-pci'],
  ];
}

/** "unsafe" only leaves out the sync of this machine's disk: what dom0 has synced outlives QEMU. */
function drive(id: string, path: string, format: string, more = ''): string[] {
  const drive = `file=${path},if=none,id=${id},format=${format},cache=unsafe,discard=unmap${more}`;
  return ['-drive', drive, '-device', `virtio-blk-pci,drive=${id}`];
}

/** A tap passes segments of 64 KiB whole: many times faster under emulation than a socket of QEMU's. */
function nic(tap: string, mac: string): string[] {
  const netdev = `tap,id=${tap},ifname=${tap},script=no,downscript=no,vhost=off`;
  return ['-netdev', netdev, '-device', `virtio-net-pci,netdev=${tap},mac=${mac},romfile=`];
}

/** The files that hold what is a machine's own. */
export function diskPaths(machine: Machine): string[] {
  return [diskPath(machine, 'root'), diskPath(machine, 'data')];
}

function diskPath(machine: Machine, disk: 'root' | 'data'): string {
  return join(machine.folder, `${disk}.qcow2`);
}

async function consoleBytes(machine: Machine): Promise<number> {
  return stat(consolePath(machine)).then(
    ({ size }) => size,
    () => 0,
  );
}

async function saidReady(machine: Machine, from: number): Promise<void> {
  const file = await open(consolePath(machine));
  try {
    const end = performance.now() + bootLimitMs;
    for (;;) {
      const { size } = await file.stat();
      const text = Buffer.alloc(size - from);
      await file.read(text, 0, text.length, from);
      if (text.includes('lab: ready')) return;
      if (labProcesses(machine.folder).length === 0) throw new Error(`${machine.name} ended while it booted`);
      if (performance.now() > end) throw new Error(`${machine.name} is not up after ${bootLimitMs / 1000} s`);
      await sleep(100);
    }
  } finally {
    await file.close();
  }
}
