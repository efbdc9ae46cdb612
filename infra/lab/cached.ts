import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { processFacts } from './process.ts';

/**
 * A folder of the cache, made by `make` unless it is there. Its name is `kind` and a digest of what it is made from; others of
 * that kind are removed. What is not whole never gets that name.
 */
export async function cached(
  cacheFolder: string,
  kind: string,
  madeFrom: (string | Buffer)[],
  make: (folder: string) => Promise<void>,
): Promise<string> {
  const path = join(cacheFolder, `${kind}-${digestOf(madeFrom)}`);
  if (existsSync(path)) return path;
  await mkdir(cacheFolder, { recursive: true });
  const building = `${path}.${String(process.pid)}`;
  await removeOthers(cacheFolder, kind);
  await mkdir(building, { mode: 0o700 });
  try {
    await make(building);
    await rename(building, path);
  } finally {
    await rm(building, { recursive: true, force: true });
  }
  return path;
}

function digestOf(parts: (string | Buffer)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${Buffer.byteLength(part)} `).update(part);
  return hash.digest('hex').slice(0, 16);
}

/** Also what a killed process left half made; not what another one is making. */
async function removeOthers(cacheFolder: string, kind: string): Promise<void> {
  for (const name of await readdir(cacheFolder)) {
    if (!name.startsWith(`${kind}-`)) continue;
    const [, pid] = name.split('.');
    if (pid !== undefined && Number(pid) !== process.pid && processFacts(Number(pid)) !== null) continue;
    await rm(join(cacheFolder, name), { recursive: true, force: true });
  }
}
