import { errorCode } from '../dom0/system-errors.ts';
import { isSealiftError, SealiftError } from '../domain/error.ts';
import type { ErrorType } from '../domain/error-types.ts';

/** What the system said when a disk was to be opened, as an error of Sealift. */
export function openFailure(path: string, access: 'read' | 'write', error: unknown): SealiftError {
  if (isSealiftError(error)) return error;
  const code = errorCode(error);
  if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENXIO' || code === 'ENODEV') {
    return new SealiftError('disk-missing', `disk ${path} is not there (${code})`, { cause: error });
  }
  const purpose = access === 'read' ? 'reading' : 'writing';
  return new SealiftError('disk-unreadable', `disk ${path} cannot be opened for ${purpose} (${code})`, {
    cause: error,
  });
}

/** What the system said to a read or a write at `atBytes`, as an error of Sealift. */
export function transferFailure(path: string, verb: 'read' | 'write', atBytes: number, error: unknown): SealiftError {
  if (isSealiftError(error)) return error;
  const code = errorCode(error);
  if (code === 'EINVAL') {
    // Position and length were checked, so it is the memory.
    return new SealiftError('internal', `the buffer to ${verb} disk ${path} is not from alignedBuffer`, {
      cause: error,
    });
  }
  const type = transferTypes[code] ?? 'disk-io';
  return new SealiftError(type, `disk ${path} failed to ${verb} at byte ${String(atBytes)} (${code})`, {
    cause: error,
  });
}

const transferTypes: Partial<Record<string, ErrorType>> = {
  ENOSPC: 'disk-full',
  EDQUOT: 'disk-full',
  // The device or the file went away while it was open.
  ENXIO: 'disk-changed',
  ENODEV: 'disk-changed',
  ESTALE: 'disk-changed',
};
