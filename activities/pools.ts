import { SealiftError } from '../domain/error.ts';
import type { Pool } from '../domain/host-file.ts';
import { poolFolder, unwrittenBytes } from '../storage/pool.ts';
import { unwrittenVolumeBytes } from '../storage/volume-pool.ts';
import type { Host } from './host.ts';
import { findNotes } from './notes.ts';

/** The pool that a person named, else the first. Throws `bad-usage`. */
export function choosePool(host: Host, name: string | undefined): Pool {
  const pool = name === undefined ? host.file.pool[0] : host.file.pool.find((one) => one.name === name);
  if (pool === undefined) {
    const names = host.file.pool.map((one) => one.name).join(', ');
    throw new SealiftError('bad-usage', `${host.file.name} has no pool named ${String(name)}`, {
      hint: `its pools: ${names}`,
    });
  }
  return pool;
}

/** Whether a disk of that path is one of the pool's, or of another one that shares its volume group. */
export function isIn(pool: Pool, path: string): boolean {
  return path.startsWith(`${poolFolder(pool)}/`);
}

/** What landings under way in a pool may still write, in bytes. */
export async function reservedBytes(host: Host, pool: Pool): Promise<number> {
  let bytes = 0;
  const volumes: string[] = [];
  for (const run of host.deeds.openRuns()) {
    if (run.role !== 'destination') continue;
    for (const { path, volume } of findNotes(host.deeds, run.migrationId)?.disks ?? []) {
      if (volume !== undefined) volumes.push(volume.uuid);
      else if (isIn(pool, path)) bytes += await unwrittenBytes(path);
    }
  }
  return pool.kind === 'lvm' ? unwrittenVolumeBytes(pool, volumes) : bytes;
}
