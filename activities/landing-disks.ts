import { join } from 'node:path';
import { markLanding, unfence } from '../deed/fence.ts';
import { lying } from '../deed/places.ts';
import type { FencePlaces } from '../deed/places.ts';
import type { DeedRun } from '../deed/record.ts';
import { dom0 } from '../dom0/dom0.ts';
import { SealiftError } from '../domain/error.ts';
import { crossingDisks, isMemory, sharedDisks } from '../domain/manifest.ts';
import type { DiskShape } from '../domain/manifest.ts';
import type { Offer } from '../domain/statement.ts';
import type { DestinationSurvey } from '../domain/survey.ts';
import type { Pool } from '../domain/host-file.ts';
import { readMark } from '../storage/mark.ts';
import type { Mark } from '../storage/mark.ts';
import { allocateDisk, poolFolder } from '../storage/pool.ts';
import { allocateVolume } from '../storage/volume-pool.ts';
import type { Place } from '../storage/volume.ts';
import { asideRoot, copyName, landingFolder, landingVolume, runName } from './folders.ts';
import type { Host } from './host.ts';
import { lunPlaces } from './luns.ts';
import { imagePath, memoryPool } from './memory-image.ts';
import { emptyNotes, findNotes } from './notes.ts';
import type { RunNotes } from './notes.ts';
import { choosePool, isIn, reservedBytes } from './pools.ts';

interface Wanted {
  offer: Offer;
  placement: DestinationSurvey['placement'];
  disks: DiskShape[];
  memoryBytes?: number | undefined;
}

/** Where the landing's disks of a run will lie: those of an abandoned landing of the same VM, else new private names. */
export async function planPlaces(host: Host, wanted: Wanted): Promise<FencePlaces> {
  const earlier = await abandonedLanding(host, wanted);
  const disks =
    earlier?.notes.disks.map(lying) ??
    crossingDisks(wanted.disks).map((disk) => {
      const { vdev } = disk;
      if (isMemory(disk)) return { vdev, path: imagePath(host.file, landingFolder(wanted.offer)) };
      const pool = choosePool(host, placedIn(wanted, vdev));
      const file =
        pool.kind === 'folder' ? join(landingFolder(wanted.offer), `${vdev}.raw`) : landingVolume(wanted.offer, vdev);
      return { vdev, path: join(poolFolder(pool), file) };
    });
  const asideFolder = join(asideRoot(host.file), copyName(wanted.offer));
  const luns = await lunPlaces(host, { vmUuid: wanted.offer.vmUuid, disks: wanted.disks });
  return { disks, luns, configPath: null, autostartPath: null, savedImagePath: null, asideFolder };
}

/** Makes or takes over the disks that `planPlaces` gave, marks them, opens their journal and writes the run's notes. */
export async function prepareDisks(host: Host, wanted: Wanted, places: FencePlaces): Promise<void> {
  const { offer } = wanted;
  const { lineage, token, vmUuid, vmName } = offer;
  const earlier = landingAt(host, offer, places);
  const mark = { v: 1, lineage, token, role: 'landing', vmUuid, vmName } as const;
  const disks =
    earlier?.notes.disks.map((disk) => ({ ...disk, fresh: false })) ?? (await makeDisks(host, wanted, places, mark));
  // Whom a LUN is reserved for is its source's to say.
  if (earlier?.run.places != null) await unfence({ ...earlier.run.places, luns: [] }, mark);
  await markLanding({ ...places, disks: disks.map(lying) }, mark);
  if (earlier !== null) await host.landing.forget(runName(earlier.run));
  // One transaction: a crash in between would leave the disks to nobody.
  host.state.database.transaction(() => {
    host.landed.open(
      runName(offer),
      disks.map(({ sizeBytes }, disk) => ({ disk, sizeBytes })),
    );
    if (earlier !== null) {
      host.landed.adopt(runName(earlier.run), runName(offer));
      host.deeds.setNotes(earlier.run.migrationId, { ...earlier.notes, disks: [] });
    }
    host.deeds.placeLanding(offer.migrationId, disks.map(lying));
    const luns = places.luns.map((place) => ({ ...shapeOf(wanted, place.vdev), ...place }));
    host.deeds.setNotes(offer.migrationId, { ...emptyNotes, disks, luns, memoryBytes: wanted.memoryBytes ?? 0 });
  });
}

function shapeOf(wanted: Wanted, vdev: string): { sizeBytes: number; sectorBytes: number } {
  const shape = sharedDisks(wanted.disks).find((disk) => disk.vdev === vdev);
  if (shape === undefined) throw new SealiftError('internal', `no shape of the LUN ${vdev} is wanted`);
  return { sizeBytes: shape.sizeBytes, sectorBytes: shape.sectorBytes };
}

/** Where the run's record says that they lie: a repetition may ask for another placement. */
async function makeDisks(host: Host, wanted: Wanted, places: FencePlaces, mark: Mark): Promise<RunNotes['disks']> {
  const made: RunNotes['disks'] = [];
  for (const { vdev, sizeBytes, sectorBytes } of crossingDisks(wanted.disks)) {
    const shape = { vdev, sizeBytes, sectorBytes };
    const path = places.disks.find((disk) => disk.vdev === vdev)?.path;
    const pool = poolOf(host, path, placedIn(wanted, vdev));
    const reserved = await reservedBytes(host, pool);
    if (pool.kind === 'lvm') {
      const name = landingVolume(wanted.offer, vdev);
      const volume = await allocateVolume(pool, { name, sizeBytes, reservedBytes: reserved, mark });
      // What others have left on it is there still.
      made.push({ ...shape, ...volume, fresh: false });
      continue;
    }
    const folder = landingFolder(wanted.offer);
    const file = await allocateDisk(pool, { folder, vdev, sizeBytes, reservedBytes: reserved });
    await refuseUsed(file, vdev);
    made.push({ ...shape, path: file, fresh: true });
  }
  return made;
}

/** The pool that a disk of that path is in: the one that is asked for, where several share a volume group. */
function poolOf(host: Host, path: string | undefined, asked: string | undefined): Pool {
  const pools = [...host.file.pool, memoryPool(host.file)].filter((one) => path !== undefined && isIn(one, path));
  const pool = pools.find(({ name }) => name === asked) ?? pools[0];
  if (pool !== undefined) return pool;
  throw new SealiftError('bad-config', `${host.file.name} has no pool any more for a disk of the run: ${String(path)}`);
}

function placedIn({ placement }: Wanted, vdev: string): string | undefined {
  return placement.find((one) => one.vdev === vdev)?.pool;
}

/** A disk of the landing's name that was written to and bears no mark was accepted once, by records that are not here any more. */
async function refuseUsed(path: string, vdev: string): Promise<void> {
  if ((await readMark({ path })) !== null || (await dom0().stat(path)).takenBytes <= 4096) return;
  throw new SealiftError('unknown-state', `disk ${vdev} is there, with content and no mark: ${path}`);
}

interface Landing {
  run: DeedRun;
  notes: RunNotes;
}

/** The newest landing of the VM's lineage here that was given up, with disks of the same shapes that are still a landing's. */
async function abandonedLanding(host: Host, wanted: Wanted): Promise<Landing | null> {
  const shapes = (disks: DiskShape[]): string => JSON.stringify(disks.map(({ vdev, sizeBytes }) => [vdev, sizeBytes]));
  for (const landing of earlierLandings(host, wanted.offer).reverse()) {
    if (shapes(landing.notes.disks) !== shapes(crossingDisks(wanted.disks))) continue;
    if ((await notLandings(wanted.offer.lineage, landing.notes.disks)).length === 0) return landing;
  }
  return null;
}

/** The earlier landing whose disks lie at `places`; null when they are to be made new. */
function landingAt(host: Host, offer: Offer, places: FencePlaces): Landing | null {
  const paths = JSON.stringify(places.disks.map((disk) => disk.path));
  return (
    earlierLandings(host, offer).find(({ notes }) => JSON.stringify(notes.disks.map((disk) => disk.path)) === paths) ??
    null
  );
}

function earlierLandings(host: Host, offer: Offer): Landing[] {
  const landings: Landing[] = [];
  for (const run of host.deeds.runs(offer.lineage)) {
    if (run.role !== 'destination' || run.token >= offer.token || run.collected) continue;
    if (run.state !== 'open' && run.state !== 'aborted') continue;
    const notes = findNotes(host.deeds, run.migrationId);
    if (notes !== null && notes.disks.length > 0) landings.push({ run, notes });
  }
  return landings;
}

/** The disks of a run's notes. Throws `unknown-run` when a later run has taken them over. */
export function disksOf(notes: RunNotes): RunNotes['disks'] {
  if (notes.disks.length + notes.luns.length > 0) return notes.disks;
  throw new SealiftError('unknown-run', "the run's disks were taken over by a later run");
}

/**
 * Throws 'unknown-state' unless the disks of a landing are marked as such. A disk loses that mark when the VM is set up here after
 * its accept: a database that was rolled back does not know of it, and the disk may be the VM's own by now.
 */
export async function requireLanding(lineage: string, disks: (Place & { vdev: string })[]): Promise<void> {
  const [other] = await notLandings(lineage, disks);
  if (other === undefined) return;
  throw new SealiftError('unknown-state', `record and marks disagree: disk ${other} is not a landing's any more`, {
    hint: 'was the database of this host rolled back? compare both hosts: sealift vm inspect VM --host HOST',
  });
}

async function notLandings(lineage: string, disks: (Place & { vdev: string })[]): Promise<string[]> {
  const others: string[] = [];
  for (const { vdev, ...disk } of disks) {
    const mark = await readMark(disk);
    if (mark?.role !== 'landing' || mark.lineage !== lineage) others.push(vdev);
  }
  return others;
}
