import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { asideFoldersOf } from '../deed/aside.ts';
import { fenceOf, refuseHeld } from '../deed/disk-fence.ts';
import { unlock } from '../deed/locks.ts';
import { lying } from '../deed/places.ts';
import type { DiskPlaces } from '../deed/places.ts';
import { isCurrent } from '../deed/record.ts';
import type { DeedRecord, DeedRun } from '../deed/record.ts';
import type { Files } from '../dom0/access.ts';
import { dom0 } from '../dom0/dom0.ts';
import { here } from '../dom0/local.ts';
import { notThere } from '../dom0/system-errors.ts';
import { SealiftError, isSealiftError } from '../domain/error.ts';
import { isThere } from '../storage/durable-file.ts';
import { markPath, readMark } from '../storage/mark.ts';
import { removeVolume, requireVolume, volumeBytes } from '../storage/volume.ts';
import type { Place } from '../storage/volume.ts';
import { removeLandingRun } from '../transport/landing-store.ts';
import { isLandingFolder, runName } from './folders.ts';
import { containerPaths } from './container-files.ts';
import { peerName } from './host.ts';
import type { Host } from './host.ts';
import { imageOf, removeImage } from './memory-image.ts';
import { emptyNotes, findNotes } from './notes.ts';
import { plainWords } from './plain-words.ts';
import type { GarbageItem } from './port.ts';
import { dropRunSecret } from './run-keys.ts';
import { closeLanding } from './run.ts';

/**
 * What may be removed: released copies, what was given back, landings that came to nothing, containers that have done their
 * work. An item with a `source` may be removed only when that host has given the run up: it is to be asked first.
 */
export async function listGarbage(host: Host): Promise<GarbageItem[]> {
  const items: GarbageItem[] = [];
  for (const run of host.deeds.runs()) {
    const record = host.deeds.byLineage(run.lineage);
    const vmName = record?.vmName ?? run.lineage;
    const kind = kindOf(run);
    const disks = kind === null ? [] : await ownDisks(host, run);
    const source = record !== null && isAwaited(record, run) ? (peerName(host.file, run.peer) ?? run.peer) : null;
    if (kind !== null && disks.length > 0) {
      items.push({ id: run.migrationId, kind, vmName, bytes: await bytesOf(disks), note: noteOf(run), source });
    }
    const containers = containerPaths(host, run).map((path) => ({ path }));
    const bytes = run.state === 'open' ? 0 : await bytesOf(containers, here);
    if (bytes > 0) {
      const id = `${run.migrationId}/container`;
      items.push({ id, kind: 'container', vmName, bytes, note: `its run is ${run.state}`, source: null });
    }
    const image = uselessImage(host, record, run);
    const isCounted = disks.some(({ path }) => path === image);
    const imageBytes = image === null || isCounted ? 0 : await bytesOf([{ path: image }]);
    if (imageBytes > 0) {
      const id = `${run.migrationId}/memory`;
      items.push({ id, kind: 'memory', vmName, bytes: imageBytes, note: 'it cannot be used any more', source: null });
    }
  }
  return items;
}

/**
 * Removes what is named, each item logged before it goes; `givenUp` are those whose source was asked and has given the run up. An
 * item that may still be needed, that somebody has open, or whose disk is not the run's any more, is refused by itself. Throws `bad-usage`,
 * with nothing removed, for an id that is not listed.
 */
export async function removeGarbage(
  host: Host,
  ask: { ids: string[]; givenUp: string[]; by: string },
): Promise<{ removed: GarbageItem[]; refused: { id: string; why: string }[] }> {
  const all = await listGarbage(host);
  const chosen = ask.ids.map((id) => {
    const item = all.find((one) => one.id === id);
    if (item === undefined) throw new SealiftError('bad-usage', `${host.file.name} has no garbage named ${id}`);
    return item;
  });
  const removed: GarbageItem[] = [];
  const refused: { id: string; why: string }[] = [];
  for (const item of chosen) {
    try {
      await removeItem(host, item, ask);
      removed.push(item);
    } catch (error) {
      if (!isSealiftError(error)) throw error;
      refused.push({ id: item.id, why: `${plainWords(host)(error.message)}  [${error.type}]` });
    }
  }
  return { removed, refused };
}

async function removeItem(host: Host, item: GarbageItem, ask: { givenUp: string[]; by: string }): Promise<void> {
  const [migrationId = item.id] = item.id.split('/');
  const { run } = host.deeds.byMigration(migrationId);
  if (item.kind === 'container') {
    const detail = `container of migration ${migrationId}`;
    host.deeds.log({ who: ask.by, what: 'collect', lineage: run.lineage, detail });
    for (const path of containerPaths(host, run)) await rm(path, { force: true });
    return;
  }
  if (item.kind === 'memory') {
    const detail = `image of memory of migration ${migrationId}`;
    host.deeds.log({ who: ask.by, what: 'collect', lineage: run.lineage, detail });
    await removeOwnImage(host, run);
    return;
  }
  const evenReady = ask.givenUp.includes(item.id);
  if (evenReady) await closeLanding(host, migrationId);
  for (const disk of await ownDisks(host, run)) await refuseHeld(disk);
  host.deeds.mayCollect(migrationId, { by: ask.by, evenReady });
  await removeCopy(host, run);
}

async function removeCopy(host: Host, run: DeedRun): Promise<void> {
  for (const disk of await ownDisks(host, run)) {
    const { path, volume } = disk;
    if (volume !== undefined) {
      // Of its kind still: what has become of it since might take other volumes with it.
      await fenceOf(disk).check();
      await removeVolume(volume);
      continue;
    }
    await unlock(path, 0o600, {});
    await dom0().unlink(path);
    await dom0().remove(markPath(path));
    const folder = dirname(path);
    // With the last disk in it.
    if (isLandingFolder(folder, run.lineage)) await dom0().rmdir(folder).catch(notThere);
  }
  await removeOwnImage(host, run);
  const aside = run.places === null ? [] : asideFoldersOf(run.places);
  for (const folder of aside) await dom0().remove(folder, { recursive: true });
  if (run.role === 'destination') {
    host.landed.forget(runName(run));
    removeLandingRun(host.state.database, runName(run));
    await dropRunSecret(host, run);
  } else {
    host.own.forget(runName(run));
  }
}

async function removeOwnImage(host: Host, run: DeedRun): Promise<void> {
  const notes = findNotes(host.deeds, run.migrationId);
  const image = notes === null ? undefined : imageOf(notes);
  if (image !== undefined) await removeImage(host, image);
}

/** The path of a run's image of memory that nothing will be started from any more. */
function uselessImage(host: Host, record: DeedRecord | null, run: DeedRun): string | null {
  const notes = findNotes(host.deeds, run.migrationId);
  const path = notes === null ? undefined : imageOf(notes)?.path;
  if (notes === null || path === undefined || run.state === 'open') return null;
  const others = host.deeds.runs(run.lineage).filter(({ migrationId }) => migrationId !== run.migrationId);
  // A run that took the place of this one has its image too.
  if (others.some(({ migrationId }) => imageOf(findNotes(host.deeds, migrationId) ?? emptyNotes)?.path === path))
    return null;
  if (run.role === 'source' && run.state === 'ceded') return run.released ? path : null;
  const awaited = run.role === 'source' || run.state === 'accepted';
  const unused = notes.memory !== null && notes.memory.woken === null;
  return record !== null && isCurrent(record, run) && awaited && unused ? null : path;
}

function kindOf(run: DeedRun): GarbageItem['kind'] | null {
  if (run.role === 'source') return run.state === 'ceded' && run.released ? 'released-copy' : null;
  if (run.state === 'returned') return 'returned-copy';
  return run.state === 'accepted' ? null : 'abandoned-landing';
}

/** Whether the run's source may still send to it, or has ceded upon its READY. */
function isAwaited(record: DeedRecord, run: DeedRun): boolean {
  if (run.role === 'source' || run.state === 'returned') return false;
  return run.state === 'open' || (record.token === run.token && record.madeToken === run.token);
}

function noteOf(run: DeedRun): string {
  const token = `token ${String(run.token)}`;
  if (run.role === 'source') return `ceded with ${token}, its hold has ended`;
  if (run.state === 'returned') return 'what the VM wrote here before it was reverted';
  return run.state === 'open' ? `landing of ${token}, which its source gave up` : `landing of ${token}, given up`;
}

/**
 * The disks of a run that are still there and still its own, by the mark beside each: somebody may have put another file there.
 * A ceded copy's are its fence's; a landing's are in its notes, until a later run takes them over.
 */
async function ownDisks(host: Host, run: DeedRun): Promise<DiskPlaces[]> {
  const all = run.role === 'source' ? run.places?.disks : findNotes(host.deeds, run.migrationId)?.disks;
  const own: DiskPlaces[] = [];
  for (const disk of (all ?? []).map(lying)) {
    const there = disk.volume !== undefined || (await isThere(dom0(), disk.path));
    const mark = there ? await readMark(disk).catch(notThere) : null;
    // A copy that was given back carries the token by which it went.
    if (mark?.lineage === run.lineage && mark.token <= run.token + 1) own.push(disk);
  }
  return own;
}

async function bytesOf(disks: Place[], on: Files = dom0()): Promise<number> {
  const sizes = await Promise.all(disks.map((disk) => takenBytes(disk, on)));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** What removing it gives back. */
async function takenBytes({ path, volume }: Place, on: Files): Promise<number> {
  try {
    if (volume !== undefined) return volumeBytes(await requireVolume(volume));
    return (await on.stat(path)).takenBytes;
  } catch {
    return 0;
  }
}
