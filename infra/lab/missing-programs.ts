import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Of the programs, each with Debian's package for it, those that are not there: by path, or looked for where an administrator's are too. */
export function missingPrograms(packageOf: Readonly<Record<string, string>>): [program: string, packages: string][] {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return Object.entries(packageOf).filter(
    ([name]) => !(name.startsWith('/') ? [''] : folders).some((folder) => existsSync(join(folder, name))),
  );
}
