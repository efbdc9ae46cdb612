import type { BigIntStats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { openFailure } from './disk-errors.ts';
import { deviceFolder, deviceName } from './disk-shape.ts';
import { list, processesThat, read, statOrNull, target } from './processes.ts';
import type { Process } from './processes.ts';

/** Who holds a disk: a process, or the kernel itself (pid 0: a loop device, a device mapper, a mount). */
export type Holder = Process;

/**
 * Every process that has the disk open or mapped, whatever name it opened it by, and everything of the kernel's that is set up on
 * it. This process is listed only for descriptors that can write. Without root rights the processes of other users cannot
 * be seen. Throws `disk-missing`.
 */
export async function holdersOf(path: string): Promise<Holder[]> {
  let stats: BigIntStats;
  try {
    stats = await stat(path, { bigint: true });
  } catch (error) {
    throw openFailure(path, 'read', error);
  }
  const above = stats.isBlockDevice() ? deviceHolders(stats.rdev) : [];
  const open = await processesThat((pid) => holdsOpen(pid, stats) || maps(pid, stats));
  return [...above, ...loopHolders(stats), ...open];
}

function holdsOpen(pid: string, disk: BigIntStats): boolean {
  for (const fd of list(`/proc/${pid}/fd`)) {
    const open = statOrNull(`/proc/${pid}/fd/${fd}`);
    if (open === null || !isSame(open, disk)) continue;
    if (pid !== String(process.pid) || canWrite(pid, fd)) return true;
  }
  return false;
}

/** By inode, or for a device by its number: it may have several nodes. */
function isSame(open: BigIntStats, disk: BigIntStats): boolean {
  if (disk.isBlockDevice()) return open.isBlockDevice() && open.rdev === disk.rdev;
  return open.dev === disk.dev && open.ino === disk.ino;
}

function canWrite(pid: string, fd: string): boolean {
  const flags = /^flags:\s*([0-7]+)$/m.exec(read(`/proc/${pid}/fdinfo/${fd}`))?.[1];
  // The last two bits are O_RDONLY (0), O_WRONLY or O_RDWR. A descriptor that is gone by now holds nothing.
  return flags !== undefined && (parseInt(flags, 8) & 3) !== 0;
}

/** A mapping outlives the descriptor that it was made by. */
function maps(pid: string, disk: BigIntStats): boolean {
  if (disk.isBlockDevice() || pid === String(process.pid)) return false;
  const [major, minor] = deviceName(disk.dev)
    .split(':')
    .map((part) => Number(part).toString(16).padStart(2, '0'));
  return read(`/proc/${pid}/maps`).includes(` ${String(major)}:${String(minor)} ${String(disk.ino)} `);
}

function loopHolders(disk: BigIntStats): Holder[] {
  const found: Holder[] = [];
  for (const name of list('/sys/block')) {
    const backing = read(`/sys/block/${name}/loop/backing_file`).replace(/\n$/, '');
    const stats = backing === '' ? null : statOrNull(backing);
    if (stats !== null && isSame(stats, disk)) found.push({ pid: 0, command: name });
  }
  return found;
}

/** What the kernel has set up on a device or on its partitions: device mapper, md, mounts, swap. */
function deviceHolders(device: bigint): Holder[] {
  const found: Holder[] = [];
  const whole = deviceFolder(device);
  const name = basename(target(whole) || whole);
  const partitions = list(whole)
    .filter((entry) => entry.startsWith(name))
    .map((entry) => `${whole}/${entry}`);
  const mounts = read('/proc/self/mountinfo');
  for (const folder of [whole, ...partitions]) {
    for (const command of list(`${folder}/holders`)) found.push({ pid: 0, command });
    const number = read(`${folder}/dev`).trim();
    for (const line of mounts.split('\n')) {
      const [, , mounted, , point] = line.split(' ');
      if (mounted === number && point !== undefined) found.push({ pid: 0, command: `mount ${point}` });
    }
  }
  const swaps = read('/proc/swaps');
  for (const folder of [whole, ...partitions]) {
    const node = `/dev/${basename(target(folder) || folder)}`;
    if (swaps.split('\n').some((line) => line.startsWith(`${node} `))) found.push({ pid: 0, command: `swap ${node}` });
  }
  return found;
}
