import { dom0 } from '../dom0/dom0.ts';
import { isSealiftError, SealiftError } from '../domain/error.ts';

/**
 * When a disk's file was last written: the same as before means that nothing was written since. For files only, whose
 * modification time every write changes, through a loop device too; fences and reads leave it alone. Throws 'disk-missing'.
 */
export async function writeStamp(path: string): Promise<string> {
  const found = await dom0()
    .stat(path)
    .catch((error: unknown) => {
      if (isSealiftError(error)) throw error;
      throw new SealiftError('disk-missing', `${path} cannot be looked at`, { cause: error });
    });
  if (found.kind !== 'file') throw new SealiftError('disk-unreadable', `${path} does not tell when it was written`);
  return `${String(found.ino)}:${String(found.mtimeNs)}`;
}
