import { dirname, join } from 'node:path';
import type { FileStatus } from '../dom0/access.ts';
import { dom0 } from '../dom0/dom0.ts';
import { errorCode, notThere } from '../dom0/system-errors.ts';
import { SealiftError } from '../domain/error.ts';
import type { Pool } from '../domain/host-file.ts';
import { vdev as vdevName } from '../domain/names.ts';
import { syncFolder, syncWhole } from './durable-file.ts';
import { groupSpace } from './volume-pool.ts';

export type FolderPool = Pool & { kind: 'folder' };

export interface PoolSpace {
  /** What this process may use. */
  freeBytes: number;
  totalBytes: number;
  /** A disk takes a multiple of it. */
  unitBytes: number;
  /** What guests see as the sectors of disks in it. */
  sectorBytes: number;
}

/** The folder that a pool's disks have their paths in. */
export function poolFolder(pool: Pool): string {
  return pool.kind === 'folder' ? pool.path : join('/dev', pool.group);
}

/** The space of a pool. Throws `bad-config` where it is not there. */
export async function poolSpace(pool: Pool): Promise<PoolSpace> {
  if (pool.kind === 'lvm') return groupSpace(pool);
  await checkPool(pool);
  const { freeBytes, totalBytes } = await dom0().statfs(pool.path);
  return { freeBytes, totalBytes, unitBytes: 1, sectorBytes: 512 };
}

/** How many bytes of a sparse file are still to be written at most: what a landing under way has reserved. 0 when it is gone. */
export async function unwrittenBytes(path: string): Promise<number> {
  try {
    const { sizeBytes, takenBytes } = await dom0().stat(path);
    return Math.max(0, sizeBytes - takenBytes);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return 0;
    throw error;
  }
}

/** The disk to be made. `reservedBytes`: what other landings in this pool have still to write. */
export interface Allocation {
  /** A private name within the pool, as `web-1.<lineage>.<token>`. */
  folder: string;
  vdev: string;
  sizeBytes: number;
  reservedBytes: number;
}

/**
 * Makes an empty (sparse) disk `<pool>/<folder>/<vdev>.raw`, mode 0600 in a folder of mode 0700, durably, and returns its path.
 * A disk of the right size that an earlier call made is returned as it is. Throws `no-space`; `unknown-state` when that name is
 * taken by anything that this function would not have made, which is never touched; `bad-config` without the pool's folder.
 */
export async function allocateDisk(pool: FolderPool, wanted: Allocation): Promise<string> {
  if (!folderName.test(wanted.folder) || !vdevName.safeParse(wanted.vdev).success) {
    throw new SealiftError('bad-usage', `"${wanted.folder}/${wanted.vdev}" cannot name a disk in pool ${pool.name}`);
  }
  await checkPool(pool);
  const folder = join(pool.path, wanted.folder);
  const path = join(folder, `${wanted.vdev}.raw`);
  await makeFolder(folder);
  if (await isOwnDisk(path, wanted.sizeBytes)) return path;
  await checkSpace(pool, wanted);
  await createDisk(path, wanted.sizeBytes);
  return path;
}

const folderName = /^[A-Za-z0-9_][A-Za-z0-9_.+:-]{0,199}$/;

async function checkPool(pool: FolderPool): Promise<void> {
  const status = await dom0().stat(pool.path).catch(notThere);
  if (status?.kind !== 'folder') {
    throw new SealiftError('bad-config', `pool ${pool.name} has no folder ${pool.path}`, {
      hint: 'mount its file system, or make the folder',
    });
  }
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await dom0().mkdir(folder, { mode: 0o700 });
    await syncFolder(dom0(), dirname(folder));
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
    const status = await dom0().lstat(folder);
    if (status.kind !== 'folder' || !isPrivate(status)) throw notOurs(folder);
  }
}

async function isOwnDisk(path: string, sizeBytes: number): Promise<boolean> {
  let status: FileStatus;
  try {
    status = await dom0().lstat(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
  // A link, soft or hard, would lead the landing's writes into somebody else's disk.
  if (status.kind !== 'file' || status.nlink !== 1 || !isPrivate(status)) throw notOurs(path);
  if (status.sizeBytes !== sizeBytes) {
    throw new SealiftError(
      'unknown-state',
      `disk ${path} has ${String(status.sizeBytes)} bytes, not ${String(sizeBytes)}`,
    );
  }
  return true;
}

function isPrivate({ uid, mode }: FileStatus): boolean {
  return uid === dom0().uid && (mode & 0o077) === 0;
}

function notOurs(path: string): SealiftError {
  return new SealiftError('unknown-state', `${path} was not made by a landing of this host`);
}

async function checkSpace(pool: FolderPool, { sizeBytes, reservedBytes }: Allocation): Promise<void> {
  const { freeBytes } = await poolSpace(pool);
  if (sizeBytes + reservedBytes <= freeBytes) return;
  const reserved = reservedBytes > 0 ? `, ${String(reservedBytes)} of them reserved` : '';
  throw new SealiftError(
    'no-space',
    `pool ${pool.name} has ${String(freeBytes)} bytes free${reserved}, the disk takes ${String(sizeBytes)}`,
  );
}

/** The final name appears with the final size, so that a crash leaves no disk of another size behind. */
async function createDisk(path: string, sizeBytes: number): Promise<void> {
  const fresh = `${path}.new`;
  await dom0().remove(fresh);
  const handle = await dom0().open(fresh, 'new', { mode: 0o600 });
  try {
    await handle.truncate(sizeBytes);
    await syncWhole(handle, fresh);
    // Unlike a rename, it never takes the place of a file.
    await dom0().link(fresh, path);
  } catch (error) {
    if (errorCode(error) === 'EFBIG') {
      throw new SealiftError('no-space', `the file system cannot hold a file of ${String(sizeBytes)} bytes`, {
        cause: error,
      });
    }
    throw error;
  } finally {
    await handle.close();
    await dom0().remove(fresh);
  }
  await syncFolder(dom0(), dirname(path));
}
