import { open, rename, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SealiftError } from '../domain/error.ts';

/** Reads up to `into.length` bytes at `at` and returns how many there were; fewer only at the file's end. */
export async function readUpTo(file: FileHandle, into: Buffer, at: number): Promise<number> {
  let filled = 0;
  while (filled < into.length) {
    const { bytesRead } = await told(file.read(into, filled, into.length - filled, at + filled), 'reading');
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
}

/** A file that takes its name only when it is whole and on the device; until then it is `<path>.part`. */
export interface FileInTheMaking {
  append(bytes: Buffer): Promise<void>;
  /** Returns when everything appended is on the device. */
  sync(): Promise<void>;
  finish(): Promise<void>;
  /** Closes and removes what there is. */
  discard(): Promise<void>;
}

/**
 * Starts the file `path`, mode 0600; a file of that name stays as it is until the new one is whole. What an earlier,
 * killed writer left under `<path>.part` is dropped: its session is over, so nobody can continue it. Throws 'disk-full',
 * 'disk-io'.
 */
export async function startFile(path: string): Promise<FileInTheMaking> {
  const part = `${path}.part`;
  await told(rm(part, { force: true }), 'removing');
  const file = await told(open(part, 'wx', 0o600), 'making');
  let length = 0;
  return {
    append: async (bytes) => {
      let written = 0;
      while (written < bytes.length) {
        const result = await told(file.write(bytes, written, bytes.length - written, length + written), 'writing');
        written += result.bytesWritten;
      }
      length += bytes.length;
    },
    sync: () => synced(file.datasync()),
    finish: async () => {
      await synced(file.sync());
      await told(file.close(), 'closing');
      await told(rename(part, path), 'naming');
      await syncFolder(dirname(path));
    },
    discard: async () => {
      await file.close().catch(() => undefined);
      await told(rm(part, { force: true }), 'removing');
    },
  };
}

async function syncFolder(path: string): Promise<void> {
  const folder = await told(open(path, 'r'), 'opening');
  try {
    await synced(folder.sync());
  } finally {
    await folder.close();
  }
}

/** After a failed sync nobody knows what is on the device, so the caller must end the process. */
async function synced(act: Promise<void>): Promise<void> {
  try {
    await act;
  } catch (error) {
    throw new SealiftError('disk-io', `a container could not be synced (${codeOf(error)})`, {
      cause: error,
      fatal: true,
    });
  }
}

async function told<T>(act: Promise<T>, doing: string): Promise<T> {
  try {
    return await act;
  } catch (error) {
    const code = codeOf(error);
    const type = code === 'ENOSPC' || code === 'EDQUOT' ? 'disk-full' : 'disk-io';
    throw new SealiftError(type, `${doing} a container failed (${code})`, { cause: error });
  }
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : 'no code';
}
