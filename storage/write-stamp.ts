import { join } from 'node:path';
import { dom0 } from '../dom0/dom0.ts';
import { isSealiftError, SealiftError } from '../domain/error.ts';
import { deviceFolder } from './disk-shape.ts';

/**
 * When a disk was last written: the same as before means that nothing was written since; reads and fences leave it alone. Of a file it is its modification
 * time, which every write changes, through a loop device too; of a device how much this host has written to it, which begins anew where the
 * device does, and at a boot. Throws 'disk-missing', 'disk-unreadable' for what does not tell.
 */
export async function writeStamp(path: string): Promise<string> {
  const found = await dom0()
    .stat(path)
    .catch((error: unknown) => {
      if (isSealiftError(error)) throw error;
      throw new SealiftError('disk-missing', `${path} cannot be looked at`, { cause: error });
    });
  if (found.kind === 'file') return `${String(found.ino)}:${String(found.mtimeNs)}`;
  if (found.kind === 'block') return `${await deviceOfNow(found.rdev)}:${await writesTo(found.rdev)}`;
  throw new SealiftError('disk-unreadable', `${path} does not tell when it was written`);
}

/**
 * The sectors that were written to a device, and discarded, since it is there (the kernel's Documentation/block/stat.rst): a guest's writes by dom0's kernel
 * are among them, and do not touch the node. Not the number of requests: device mapper counts a flush among the writes.
 */
export async function writesTo(device: bigint): Promise<string> {
  const counts = (await read(join(deviceFolder(device), 'stat'))).split(/\s+/);
  return [6, 13].map((at) => counts[at] ?? '').join(' ');
}

/** What no other device has, before a boot or after: its number may be another's then. */
async function deviceOfNow(device: bigint): Promise<string> {
  const folder = deviceFolder(device);
  const boot = await read('/proc/sys/kernel/random/boot_id');
  // A partition has none of its own; the link leads into its disk's folder. Nor has a kernel before 5.15.
  const sequence = await read(`${folder}/diskseq`)
    .catch(() => read(`${folder}/../diskseq`))
    .catch(() => '');
  return `${boot}:${sequence}:${String(device)}`;
}

async function read(path: string): Promise<string> {
  return (await dom0().readFile(path)).toString('utf8').trim();
}
