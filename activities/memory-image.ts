import { basename, dirname, join } from 'node:path';
import { unlock } from '../deed/locks.ts';
import { dom0 } from '../dom0/dom0.ts';
import type { FencePlaces } from '../deed/places.ts';
import type { HostFile } from '../domain/host-file.ts';
import { isMemory, memoryVdev } from '../domain/manifest.ts';
import type { DiskShape } from '../domain/manifest.ts';
import { isThere, syncFolder, syncWhole } from '../storage/durable-file.ts';
import { reachLun } from '../storage/lun.ts';
import { allocateDisk } from '../storage/pool.ts';
import type { FolderPool } from '../storage/pool.ts';
import { placeNow } from '../storage/volume.ts';
import { writeStamp } from '../storage/write-stamp.ts';
import { memoryBytesOf } from '../xen/at-rest.ts';
import type { FoundVm } from '../xen/dom0.ts';
import { configNumber } from '../xen/xl-config/values.ts';
import { memoryFolder } from './folders.ts';
import type { Host } from './host.ts';
import { updateNotes } from './notes.ts';
import type { RunNotes } from './notes.ts';

/** Where this host keeps images of guests' memory: files, also where disks are something else. */
export function memoryPool(file: HostFile): FolderPool {
  return { name: 'of the images of memory', kind: 'folder', path: memoryFolder(file) };
}

/** Where the image of a run lies; `folder` is one of its own. */
export function imagePath(file: HostFile, folder: string): string {
  return join(memoryFolder(file), folder, `${memoryVdev}.raw`);
}

const MiB = 2 ** 20;
/** For what is beside the guest's pages: what the devices remember, the screen, the heads of records (0.2 % of the pages were seen). */
const besideBytes = 32 * MiB;

/** The image of a VM's memory as a disk: larger than any that `xl save` makes of it, whatever it holds at the moment. */
export function imageShape({ config, memoryBytes }: Pick<FoundVm, 'config' | 'memoryBytes'>): DiskShape {
  const maximum = config === null ? 0 : (configNumber(config, 'maxmem') ?? 0) * MiB;
  const bytes = Math.max(memoryBytes, maximum, config === null ? 0 : memoryBytesOf(config));
  return { vdev: memoryVdev, sizeBytes: Math.ceil((bytes * (1 + 1 / 64) + besideBytes) / MiB) * MiB, sectorBytes: 512 };
}

/** The run's image of memory among its disks; undefined for a move that does not keep memory. */
export function imageOf({ disks }: Pick<RunNotes, 'disks'>): RunNotes['disks'][number] | undefined {
  return disks.find(isMemory);
}

/** The disks of the guest itself. */
export function guestDisks<Disk extends { vdev: string }>(disks: readonly Disk[]): Disk[] {
  return disks.filter((disk) => !isMemory(disk));
}

/** An empty image of the run's size, nothing but zeros: it says that there is no memory. What was there is removed. Throws `no-space`. */
export async function emptyImage(host: Host, { path, sizeBytes }: RunNotes['disks'][number]): Promise<void> {
  if (await isThere(dom0(), path)) await removeFile(path);
  await allocateDisk(memoryPool(host.file), {
    folder: basename(dirname(path)),
    vdev: memoryVdev,
    sizeBytes,
    reservedBytes: 0,
  });
}

/** Makes what xl wrote durable, and as long as the run's disk; false when it is longer. */
export async function sealLength({ path, sizeBytes }: { path: string; sizeBytes: number }): Promise<boolean> {
  const file = await dom0().open(path, 'write');
  try {
    const fits = (await file.stat()).sizeBytes <= sizeBytes;
    if (fits) await file.truncate(sizeBytes);
    await syncWhole(file, path);
    return fits;
  } finally {
    await file.close();
  }
}

/** When this host last wrote to each of the guest's disks. */
export function stampsOf({ disks, luns }: Pick<RunNotes, 'disks' | 'luns'>): Promise<string[]> {
  return Promise.all([
    ...guestDisks(disks).map(async (disk) => writeStamp(await placeNow(disk))),
    ...luns.map(async ({ lun }) => writeStamp((await reachLun(lun)).device)),
  ]);
}

/** Whether nothing was written to the guest's disks since its image was noted. */
export async function isOfOneMoment(notes: RunNotes): Promise<boolean> {
  if (notes.memory === null) return false;
  return JSON.stringify(await stampsOf(notes)) === JSON.stringify(notes.memory.stamps);
}

/** Removes an image for good, with its folder; it need not be there. */
export async function removeImage(host: Host, { path }: { path: string }): Promise<void> {
  const folder = dirname(path);
  if (dirname(folder) !== memoryFolder(host.file)) return;
  if (await isThere(dom0(), path)) await removeFile(path);
  await dom0().remove(folder, { recursive: true });
  await syncFolder(dom0(), memoryFolder(host.file));
}

/** The VM will run from its disks alone: its image must never be used any more, and is removed. */
export async function giveMemoryUp(host: Host, migrationId: string, notes: RunNotes): Promise<void> {
  const image = imageOf(notes);
  if (image === undefined) return;
  updateNotes(host.deeds, migrationId, { memory: null });
  await removeImage(host, image);
}

/** A fence's places without an image that is gone: nothing is lost with it. */
export async function withoutLostImage(places: FencePlaces): Promise<FencePlaces> {
  const image = places.disks.find(isMemory);
  if (image === undefined || (await isThere(dom0(), image.path))) return places;
  return { ...places, disks: guestDisks(places.disks) };
}

/** A fence may be on it. */
async function removeFile(path: string): Promise<void> {
  await unlock(path, 0o600, {});
  await dom0().unlink(path);
}
