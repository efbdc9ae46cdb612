import type { BigIntStats } from 'node:fs';
import { readFile, readdir, readlink, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { openFailure } from './disk-errors.ts';
import { deviceFolder, deviceName } from './disk-shape.ts';

/** Who holds a disk: a process, or the kernel itself (pid 0: a loop device, a device mapper, a mount). */
export interface Holder {
  pid: number;
  command: string;
}

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
  const above = stats.isBlockDevice() ? await deviceHolders(stats.rdev) : [];
  return [...above, ...(await loopHolders(stats)), ...(await processHolders(stats))];
}

async function processHolders(disk: BigIntStats): Promise<Holder[]> {
  const pids = (await list('/proc')).filter((entry) => /^\d+$/.test(entry));
  const found = await Promise.all(
    pids.map(async (pid) =>
      (await holdsOpen(pid, disk)) || (await maps(pid, disk))
        ? { pid: Number(pid), command: await commandOf(pid) }
        : null,
    ),
  );
  return found.filter((holder) => holder !== null);
}

async function holdsOpen(pid: string, disk: BigIntStats): Promise<boolean> {
  for (const fd of await list(`/proc/${pid}/fd`)) {
    const open = await statOrNull(`/proc/${pid}/fd/${fd}`);
    if (open === null || !isSame(open, disk)) continue;
    if (pid !== String(process.pid) || (await canWrite(pid, fd))) return true;
  }
  return false;
}

/** By inode, or for a device by its number: it may have several nodes. */
function isSame(open: BigIntStats, disk: BigIntStats): boolean {
  if (disk.isBlockDevice()) return open.isBlockDevice() && open.rdev === disk.rdev;
  return open.dev === disk.dev && open.ino === disk.ino;
}

async function canWrite(pid: string, fd: string): Promise<boolean> {
  const flags = /^flags:\s*([0-7]+)$/m.exec(await read(`/proc/${pid}/fdinfo/${fd}`))?.[1];
  // The last two bits are O_RDONLY (0), O_WRONLY or O_RDWR. A descriptor that is gone by now holds nothing.
  return flags !== undefined && (parseInt(flags, 8) & 3) !== 0;
}

/** A mapping outlives the descriptor that it was made by. */
async function maps(pid: string, disk: BigIntStats): Promise<boolean> {
  if (disk.isBlockDevice() || pid === String(process.pid)) return false;
  const [major, minor] = deviceName(disk.dev)
    .split(':')
    .map((part) => Number(part).toString(16).padStart(2, '0'));
  return (await read(`/proc/${pid}/maps`)).includes(` ${String(major)}:${String(minor)} ${String(disk.ino)} `);
}

async function commandOf(pid: string): Promise<string> {
  return (await read(`/proc/${pid}/comm`)).trim() || 'unknown';
}

async function loopHolders(disk: BigIntStats): Promise<Holder[]> {
  const found: Holder[] = [];
  for (const name of await list('/sys/block')) {
    const backing = (await read(`/sys/block/${name}/loop/backing_file`)).replace(/\n$/, '');
    const stats = backing === '' ? null : await statOrNull(backing);
    if (stats !== null && isSame(stats, disk)) found.push({ pid: 0, command: name });
  }
  return found;
}

/** What the kernel has set up on a device or on its partitions: device mapper, md, mounts, swap. */
async function deviceHolders(device: bigint): Promise<Holder[]> {
  const found: Holder[] = [];
  const whole = deviceFolder(device);
  const name = basename(await readlink(whole).catch(() => whole));
  const partitions = (await list(whole)).filter((entry) => entry.startsWith(name)).map((entry) => `${whole}/${entry}`);
  const mounts = await read('/proc/self/mountinfo');
  for (const folder of [whole, ...partitions]) {
    for (const command of await list(`${folder}/holders`)) found.push({ pid: 0, command });
    const number = (await read(`${folder}/dev`)).trim();
    for (const line of mounts.split('\n')) {
      const [, , mounted, , point] = line.split(' ');
      if (mounted === number && point !== undefined) found.push({ pid: 0, command: `mount ${point}` });
    }
  }
  const swaps = await read('/proc/swaps');
  for (const folder of [whole, ...partitions]) {
    const node = `/dev/${basename(await readlink(folder).catch(() => folder))}`;
    if (swaps.split('\n').some((line) => line.startsWith(`${node} `))) found.push({ pid: 0, command: `swap ${node}` });
  }
  return found;
}

/** Processes and devices come and go while one looks: what is gone is empty. */
async function list(folder: string): Promise<string[]> {
  return await readdir(folder).catch(() => []);
}

async function read(path: string): Promise<string> {
  return await readFile(path, 'utf8').catch(() => '');
}

async function statOrNull(path: string): Promise<BigIntStats | null> {
  return await stat(path, { bigint: true }).catch(() => null);
}
