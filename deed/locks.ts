import { dirname, join } from 'node:path';
import type { FileStatus } from '../dom0/access.ts';
import { dom0 } from '../dom0/dom0.ts';
import { errorCode, isAway } from '../dom0/system-errors.ts';
import { isSealiftError, SealiftError } from '../domain/error.ts';
import { syncWhole } from '../storage/durable-file.ts';

/**
 * How a raw file is made to refuse writers. `immutable`: the file system's flag, which binds root too (chattr(1)).
 * `permissions`: no write bit for anybody, which binds only those who cannot override permissions: enough for the stand-in's
 * domains, not for a real dom0, where xl and the block backends run as root.
 */
export type FenceKind = 'immutable' | 'permissions';

/** Variables for the programs that are run; see orphans.ts. */
export type Environment = Readonly<Record<string, string>>;

const commandLimitMs = 10_000;
let probes = 0;

/** Which kind of fence works for the file `path`; null when none does: a device, a file system that keeps no permissions. */
export async function fenceKind(path: string): Promise<FenceKind | null> {
  return (await statOf(path)).kind === 'file' ? fenceKindIn(dirname(path)) : null;
}

/** The same for the files of a folder, found out on one of its own. */
export async function fenceKindIn(folder: string): Promise<FenceKind | null> {
  await sweepProbes(folder);
  probes += 1;
  const probe = join(folder, `.sealift-probe.${String(process.pid)}.${String(probes)}`);
  await (await dom0().open(probe, 'new', { mode: 0o600 })).close();
  try {
    if (await works(probe, 'immutable')) return 'immutable';
    return (await works(probe, 'permissions')) ? 'permissions' : null;
  } finally {
    await removeProbe(probe);
  }
}

/** Makes a file refuse writers, durably; one that does already stays so. Throws 'fence-failed'. */
export async function lock(path: string, kind: FenceKind, env: Environment): Promise<void> {
  if (kind === 'immutable') await chattr('+i', path, env);
  else await dom0().chmod(path, (await statOf(path)).mode & ~0o222);
  if (!(await isLocked(path, kind))) {
    throw new SealiftError('fence-failed', `${path} does not keep the fence (${kind})`);
  }
  await syncInode(path);
}

/** Lets writers in again, durably, whatever kind of fence was on; `mode` are the permission bits to restore. */
export async function unlock(path: string, mode: number, env: Environment): Promise<void> {
  if (await isLocked(path, 'immutable')) await chattr('-i', path, env);
  if ((await statOf(path)).mode !== mode) await dom0().chmod(path, mode);
  await syncInode(path);
}

/** Whether a file carries the fence of that kind. */
export async function isLocked(path: string, kind: FenceKind): Promise<boolean> {
  if (kind === 'permissions') return ((await statOf(path)).mode & 0o222) === 0;
  const { exitCode, stdout } = await dom0().run(['lsattr', '-d', path], { limitMs: commandLimitMs });
  // "----i---------e------- /path"; fails where the file system knows no flags
  return exitCode === 0 && (stdout.split(' ')[0] ?? '').includes('i');
}

/** Whether opening the file for writing is refused to this process. Nothing is written. */
export async function refusesWriters(path: string): Promise<boolean> {
  try {
    await (await dom0().open(path, 'write')).close();
    return false;
  } catch (error) {
    if (['EACCES', 'EPERM', 'EROFS'].includes(errorCode(error))) return true;
    throw error;
  }
}

/** What a disk's file is. Throws 'disk-missing'. */
export async function statOf(path: string): Promise<FileStatus> {
  try {
    return await dom0().lstat(path);
  } catch (error) {
    if (isSealiftError(error)) throw error;
    throw new SealiftError('disk-missing', `no disk at ${path}`, { cause: error });
  }
}

/** Permissions and flags are in the inode: without this a power cut could take the fence off again. */
async function syncInode(path: string): Promise<void> {
  let file;
  try {
    file = await dom0().open(path, 'read');
  } catch (error) {
    if (isSealiftError(error)) throw error;
    throw new SealiftError('fence-failed', `${path} cannot be opened to make the fence durable`, { cause: error });
  }
  try {
    await syncWhole(file, path);
  } finally {
    await file.close();
  }
}

async function chattr(flag: '+i' | '-i', path: string, env: Environment): Promise<void> {
  const { exitCode, stderr } = await dom0().run(['chattr', flag, path], { limitMs: commandLimitMs, env });
  if (exitCode !== 0)
    throw new SealiftError('fence-failed', `chattr ${flag} ${path} failed: ${stderr.trim().slice(0, 200)}`);
}

async function works(probe: string, kind: FenceKind): Promise<boolean> {
  try {
    await lock(probe, kind, {});
    // who may override permissions, as root does, learns nothing from trying
    return (kind === 'permissions' && dom0().uid === 0) || (await refusesWriters(probe));
  } catch (error) {
    if (isAway(error)) throw error;
    return false;
  }
}

async function removeProbe(probe: string): Promise<void> {
  try {
    await dom0().unlink(probe);
  } catch (error) {
    if (errorCode(error) !== 'EPERM') throw error;
    await chattr('-i', probe, {});
    await dom0().unlink(probe);
  }
}

/** A probe whose process was killed may be immutable, and would stay for good. */
async function sweepProbes(folder: string): Promise<void> {
  for (const name of await dom0().readdir(folder)) {
    const pid = /^\.sealift-probe\.(\d+)\.\d+$/.exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) await removeProbe(join(folder, name));
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) === 'EPERM';
  }
}
