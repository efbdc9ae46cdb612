import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

/** Where administrators' programs lie; they are not on everybody's PATH. */
const systemFolders = ['/usr/sbin', '/sbin', '/usr/local/sbin'];

/** The file of a program on PATH or among the system's; null when there is none. */
export async function findProgram(name: string, path: string): Promise<string | null> {
  for (const folder of [...path.split(delimiter).filter(Boolean), ...systemFolders]) {
    const file = join(folder, name);
    const runs = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (runs) return file;
  }
  return null;
}
