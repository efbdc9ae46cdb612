import { SealiftError } from '../domain/error.ts';
import { poolSpace } from '../storage/pool.ts';
import { isArrival } from './arrival.ts';
import type { Host } from './host.ts';
import { memoryConcerns } from './memory.ts';
import { memoryPool } from './memory-image.ts';
import { readNotes } from './notes.ts';
import { isIn, reservedBytes } from './pools.ts';
import { takeSlot } from './slots.ts';
import { takenConcerns } from './survey.ts';

/**
 * The last look of a host before a run's VM is stopped: a slot for the run, at most `limits.moves` at once on either side and
 * kept until the run ends here; at the destination, names, space and memory as the plan found them, perhaps days ago. Throws
 * `host-busy`, to be tried again, `no-space`, `no-memory` and `name-taken`.
 */
export async function admitRun(host: Host, migrationId: string): Promise<void> {
  const { record, run } = host.deeds.byMigration(migrationId);
  if (run.state === 'aborted') {
    throw new SealiftError('run-closed', `the run of ${record.vmName} is not open on ${host.file.name}`);
  }
  if (run.state !== 'open') return;
  if (run.role === 'destination') await refuseTaken(host, migrationId);
  // One transaction, so that two runs never take the last slot.
  host.state.database.transaction(() => {
    takeSlot(host.deeds, migrationId, { host: host.file.name, moves: host.file.limits.moves });
  });
}

async function refuseTaken(host: Host, migrationId: string): Promise<void> {
  const { record } = host.deeds.byMigration(migrationId);
  const { disks, memoryBytes } = readNotes(host.deeds, migrationId);
  const domains = await host.toolstack.list();
  const [taken] = await takenConcerns(host, record, domains);
  if (taken !== undefined) throw new SealiftError('name-taken', taken.text);
  const isHere = domains.some((domain) => domain.uuid === record.vmUuid && isArrival(host, domain));
  const memory = await memoryConcerns(host, { ...record, memoryBytes: isHere ? 0 : memoryBytes }, domains);
  const short = memory.find(({ severity }) => severity === 'refuses');
  if (short !== undefined) throw new SealiftError('no-memory', short.text);
  for (const pool of [...host.file.pool, memoryPool(host.file)]) {
    if (!disks.some(({ path }) => isIn(pool, path))) continue;
    const [{ freeBytes }, neededBytes] = await Promise.all([poolSpace(pool), reservedBytes(host, pool)]);
    if (freeBytes >= neededBytes) continue;
    throw new SealiftError(
      'no-space',
      `pool ${pool.name} of ${host.file.name} has ${String(freeBytes)} bytes free, moves to it need ${String(neededBytes)}`,
    );
  }
}
