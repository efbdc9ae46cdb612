import { existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';

/** The version in package.json, which lies one folder up from the sources and two from what is built of them. */
export function packageVersion(): string {
  const file = ['../package.json', '../../package.json']
    .map((path) => new URL(path, import.meta.url))
    .find((url) => existsSync(url));
  if (file === undefined) throw new Error('package.json is not beside the program');
  return z.object({ version: z.string() }).parse(JSON.parse(readFileSync(file, 'utf8'))).version;
}
