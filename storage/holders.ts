import { basename, dirname } from 'node:path';
import type { FileStatus } from '../dom0/access.ts';
import { dom0 } from '../dom0/dom0.ts';
import { processesOf } from '../dom0/processes.ts';
import type { Process } from '../dom0/processes.ts';
import { notThere } from '../dom0/system-errors.ts';
import { openFailure } from './disk-errors.ts';
import { deviceFolder, deviceName } from './disk-shape.ts';

/** Who holds a disk: a process, or the kernel itself (pid 0: a loop device, a device mapper, a mount). */
export type Holder = Process;

/**
 * Every process of dom0 that has the disk open or mapped, whatever name it opened it by, and everything of the kernel's that is set up
 * on it. This process is listed only for descriptors that can write. Without root rights the processes of other users cannot
 * be seen. Throws `disk-missing`.
 */
export async function holdersOf(path: string): Promise<Holder[]> {
  let disk: FileStatus;
  try {
    disk = await dom0().stat(path);
  } catch (error) {
    throw openFailure(path, 'read', error);
  }
  const [above, loops, pids] = await Promise.all([
    disk.kind === 'block' ? deviceHolders(disk.rdev) : [],
    loopHolders(disk),
    holdingProcesses(disk),
  ]);
  return [...above, ...loops, ...(await processesOf(pids))];
}

async function holdingProcesses(disk: FileStatus): Promise<number[]> {
  const [open, mapped, own] = await Promise.all([
    dom0().statEach('/proc/[0-9]*/fd/*'),
    mappings(disk),
    dom0().ownPids(),
  ]);
  const pids = new Set<number>();
  for (const [path, status] of open) {
    if (!isSame(status, disk)) continue;
    const [, , pid = '', , fd = ''] = path.split('/');
    if (!own.has(Number(pid)) || (await canWrite(pid, fd))) pids.add(Number(pid));
  }
  for (const path of mapped) {
    const pid = Number(path.split('/')[2]);
    if (!own.has(pid)) pids.add(pid);
  }
  return [...pids];
}

/** By inode, or for a device by its number: it may have several nodes. */
function isSame(open: FileStatus, disk: FileStatus): boolean {
  if (disk.kind === 'block') return open.kind === 'block' && open.rdev === disk.rdev;
  return open.dev === disk.dev && open.ino === disk.ino;
}

async function canWrite(pid: string, fd: string): Promise<boolean> {
  const path = `/proc/${pid}/fdinfo/${fd}`;
  const flags = /^flags:\s*([0-7]+)$/m.exec((await dom0().readEach(path)).get(path) ?? '')?.[1];
  // The last two bits are O_RDONLY (0), O_WRONLY or O_RDWR. A descriptor that is gone by now holds nothing.
  return flags !== undefined && (parseInt(flags, 8) & 3) !== 0;
}

/** A mapping outlives the descriptor that it was made by. */
async function mappings(disk: FileStatus): Promise<string[]> {
  if (disk.kind === 'block') return [];
  const [major, minor] = deviceName(disk.dev)
    .split(':')
    .map((part) => Number(part).toString(16).padStart(2, '0'));
  return dom0().filesWith('/proc/[0-9]*/maps', ` ${String(major)}:${String(minor)} ${String(disk.ino)} `);
}

async function loopHolders(disk: FileStatus): Promise<Holder[]> {
  const found: Holder[] = [];
  for (const [path, text] of await dom0().readEach('/sys/block/*/loop/backing_file')) {
    const backing = text.replace(/\n$/, '');
    const status = await dom0().stat(backing).catch(notThere);
    if (status !== null && isSame(status, disk)) found.push({ pid: 0, command: path.split('/')[3] ?? '' });
  }
  return found;
}

/** What the kernel has set up on a device or on its partitions: device mapper, md, mounts, swap. */
async function deviceHolders(device: bigint): Promise<Holder[]> {
  const whole = deviceFolder(device);
  const name = basename((await dom0().readlink(whole).catch(notThere)) ?? whole);
  const [users, ofParts, numbers, mounts, swaps] = await Promise.all([
    dom0().statEach(`${whole}/holders/*`),
    dom0().statEach(`${whole}/${name}*/holders/*`),
    dom0().readEach(`${whole}/${name}*/dev`),
    linesOf('/proc/self/mountinfo'),
    linesOf('/proc/swaps'),
  ]);
  const nodes = new Map([[deviceName(device), name]]);
  for (const [path, number] of numbers) nodes.set(number.trim(), basename(dirname(path)));
  const commands = [...users.keys(), ...ofParts.keys()].map((path) => basename(path));
  for (const line of mounts) {
    const [, , mounted = '', , point] = line.split(' ');
    if (nodes.has(mounted) && point !== undefined) commands.push(`mount ${point}`);
  }
  for (const node of nodes.values()) {
    if (swaps.some((line) => line.startsWith(`/dev/${node} `))) commands.push(`swap /dev/${node}`);
  }
  return commands.map((command) => ({ pid: 0, command }));
}

async function linesOf(path: string): Promise<string[]> {
  return ((await dom0().readEach(path)).get(path) ?? '').split('\n');
}
