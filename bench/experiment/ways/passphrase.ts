import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import type { Ground } from '../ground.ts';

/** One passphrase for both ends, in a file at each that only its owner reads: it stands in no argument list. */
export async function writePassphrase({ source, destination }: Ground): Promise<[string, string]> {
  const text = randomBytes(32).toString('hex');
  const paths: [string, string] = [source.path('passphrase'), destination.path('passphrase')];
  for (const path of paths) await writeFile(path, `${text}\n`, { mode: 0o600 });
  return paths;
}
