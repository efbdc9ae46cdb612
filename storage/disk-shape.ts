import type { FileStatus } from '../dom0/access.ts';
import { dom0 } from '../dom0/dom0.ts';
import { isSealiftError, SealiftError } from '../domain/error.ts';
import { openFailure } from './disk-errors.ts';

/** The size and the logical sector of a disk, in bytes. */
export interface DiskMeasure {
  sizeBytes: number;
  sectorBytes: number;
}

/**
 * Measures a raw file or a block device without opening it. Throws `disk-missing`, and `disk-unreadable` for anything that
 * is neither, or is empty.
 */
export async function diskShapeOf(path: string): Promise<DiskMeasure> {
  let status: FileStatus;
  try {
    status = await dom0().stat(path);
  } catch (error) {
    throw openFailure(path, 'read', error);
  }
  return await measure(path, status);
}

/** The same from the status of an open disk. `path` is for messages. */
export async function measure(path: string, status: FileStatus): Promise<DiskMeasure> {
  if (status.kind !== 'file' && status.kind !== 'block') {
    throw new SealiftError('disk-unreadable', `disk ${path} is neither a file nor a block device`);
  }
  // Guests see a raw file through loop or qdisk with sectors of 512 bytes, whatever the file system below has.
  const found =
    status.kind === 'file' ? { sizeBytes: status.sizeBytes, sectorBytes: 512 } : await measureDevice(path, status.rdev);
  if (found.sizeBytes === 0) throw new SealiftError('disk-unreadable', `disk ${path} is empty`);
  return found;
}

/** A device number as sysfs and /proc write it: `major:minor`. */
export function deviceName(device: bigint): string {
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n);
  const minor = (device & 0xffn) | ((device >> 12n) & 0xffffff00n);
  return `${String(major)}:${String(minor)}`;
}

/** Where sysfs describes a block device. */
export function deviceFolder(device: bigint): string {
  return `/sys/dev/block/${deviceName(device)}`;
}

async function measureDevice(path: string, device: bigint): Promise<DiskMeasure> {
  const folder = deviceFolder(device);
  const sectors = await readNumber(`${folder}/size`);
  // A partition has no queue of its own; the link leads into its whole disk's folder.
  const sectorBytes =
    (await readNumber(`${folder}/queue/logical_block_size`)) ??
    (await readNumber(`${folder}/../queue/logical_block_size`));
  if (sectors === null || sectorBytes === null) {
    throw new SealiftError('disk-unreadable', `the kernel does not tell the size of disk ${path}`);
  }
  // sysfs counts in 512 bytes, also for devices with larger sectors.
  return { sizeBytes: sectors * 512, sectorBytes };
}

async function readNumber(path: string): Promise<number | null> {
  try {
    return Number((await dom0().readFile(path)).toString('utf8'));
  } catch (error) {
    if (isSealiftError(error)) throw error;
    return null;
  }
}
