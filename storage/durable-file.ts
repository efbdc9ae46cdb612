import { dirname } from 'node:path';
import type { Files, OpenFile } from '../dom0/access.ts';
import { errorCode } from '../dom0/system-errors.ts';
import { SealiftError, isSealiftError } from '../domain/error.ts';
import { fatalError } from './fatal.ts';

/**
 * Writes a small file so that after a crash either the old or the whole new text is there: temporary file, fsync,
 * rename, fsync of the folder. One process owns the folder, so the temporary name is fixed and a leftover is overwritten.
 * Throws `disk-full` or `disk-io`, with the old text left as it was.
 */
export async function writeFileDurably(on: Files, path: string, text: string, mode: number): Promise<void> {
  const fresh = `${path}.new`;
  try {
    // A leftover of a crash may have other rights or be a link; it is replaced, never written into.
    await on.remove(fresh);
    const handle = await on.open(fresh, 'new', { mode });
    try {
      await handle.writeFile(text);
      await syncWhole(handle, fresh);
    } finally {
      await handle.close();
    }
    await on.rename(fresh, path);
  } catch (error) {
    await on.remove(fresh).catch(() => undefined);
    throw storageFailure(error, path);
  }
  await syncFolder(on, dirname(path));
}

/** What the system said of a file or folder, as `disk-full` or `disk-io` where the storage under it is at fault; else as it was. */
export function storageFailure(error: unknown, what: string): unknown {
  const code = errorCode(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new SealiftError('disk-full', `no space left for ${what}`, { cause: error });
  }
  return code === 'EIO'
    ? new SealiftError('disk-io', `the storage of ${what} fails (${code})`, { cause: error })
    : error;
}

/** Removes a file so that it stays removed after a crash; it need not be there. */
export async function removeFileDurably(on: Files, path: string): Promise<void> {
  await on.remove(path);
  await syncFolder(on, dirname(path));
}

/** Makes the names in a folder durable: what was created, renamed or removed in it. */
export async function syncFolder(on: Files, folder: string): Promise<void> {
  const handle = await on.open(folder, 'read');
  try {
    await syncWhole(handle, folder);
  } finally {
    await handle.close();
  }
}

/** Makes an open file, folder or device durable; `what` names it. A failure is fatal: a second sync would succeed and mean nothing. */
export async function syncWhole(handle: OpenFile, what: string): Promise<void> {
  try {
    await handle.sync();
  } catch (error) {
    // A line that was lost: whoever asks again does all of it again.
    if (isSealiftError(error)) throw error;
    throw fatalError(`${what} failed to sync (${errorCode(error)})`, error);
  }
}

/** Whether anything, a broken link included, has this name. */
export async function isThere(on: Files, path: string): Promise<boolean> {
  try {
    await on.lstat(path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}
