import { isSealiftError } from '../domain/error.ts';

/** What the system says of an error, as coreutils print it in the C locale (strerror(3)). */
const codes: Record<string, string> = {
  'No such file or directory': 'ENOENT',
  'File exists': 'EEXIST',
  'Permission denied': 'EACCES',
  'Operation not permitted': 'EPERM',
  'Not a directory': 'ENOTDIR',
  'Is a directory': 'EISDIR',
  'No space left on device': 'ENOSPC',
  'Disk quota exceeded': 'EDQUOT',
  'File too large': 'EFBIG',
  'Input/output error': 'EIO',
  'Invalid argument': 'EINVAL',
  'Invalid cross-device link': 'EXDEV',
  'Directory not empty': 'ENOTEMPTY',
  'Device or resource busy': 'EBUSY',
  'Text file busy': 'ETXTBSY',
  'Read-only file system': 'EROFS',
  'No such process': 'ESRCH',
  'No such device': 'ENODEV',
  'No such device or address': 'ENXIO',
  'Too many levels of symbolic links': 'ELOOP',
  'Stale file handle': 'ESTALE',
};

const unknownCode = 'UNKNOWN';

/** An error with a `code`, as those of Node have one. */
export interface SystemError extends Error {
  readonly code: string;
  readonly path: string;
}

/** What a program complained of, as an error of the system; its code is `unknownCode` where the complaint is not one of the system's. */
export function systemError(stderr: string, path: string): SystemError {
  const [line = ''] = stderr.split('\n').filter((one) => one.trim() !== '');
  const said = line.slice(line.lastIndexOf(': ') + 2).trim();
  const code = codes[said] ?? unknownCode;
  return codedError(code, code === unknownCode ? line.trim().slice(0, 200) : said, path);
}

export function codedError(code: string, said: string, path: string): SystemError {
  return Object.assign(new Error(`${code}: ${said}, '${path}'`), { code, path });
}

/** The system's code of an error (`ENOENT`, …), or an empty string. */
export function errorCode(error: unknown): string {
  // Not by instanceof: errors of the system come from another realm where a test or a sandbox has one of its own.
  if (typeof error !== 'object' || error === null || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}

/** Whether nobody can say anything of dom0, since it cannot be entered. */
export function isAway(error: unknown): boolean {
  return isSealiftError(error) && error.type === 'dom0-away';
}

/** For `catch`: what cannot be looked at is not there: null. Where dom0 cannot be entered, or says what nobody understands, nobody may say so: throws. */
export function notThere(error: unknown): null {
  if (isAway(error) || errorCode(error) === unknownCode) throw error;
  return null;
}

/** Whether something succeeds; throws as `notThere`. */
export async function succeeds(work: Promise<unknown>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    notThere(error);
    return false;
  }
}
