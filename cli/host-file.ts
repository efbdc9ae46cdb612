import { readFile } from 'node:fs/promises';
import { SealiftError } from '../domain/error.ts';

/** Where a host's file lies when nobody says otherwise. */
export const defaultHostFile = '/etc/sealift/host.toml';

/** A host's file as text. Throws `bad-config` when it cannot be read. */
export async function readHostFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    throw new SealiftError('bad-config', `the host's file cannot be read: ${path} (${code})`, {
      hint: 'make one by sealift host init, or name yours by --file',
      cause: error,
    });
  }
}
