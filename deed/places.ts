import { z } from 'zod';
import { vdev } from '../domain/names.ts';
import { loop } from '../storage/loop.ts';
import { lun } from '../storage/lun.ts';
import { volume } from '../storage/volume.ts';

const path = z.string().startsWith('/').max(4096);

/** Where a VM's copy lies on its host, as it was found before the first fence: all that fence and unfence touch. */
export const fencePlaces = z.strictObject({
  /**
   * Regular files by their real paths: a symbolic link is refused by the fence. `loop` is the loop device by which the guest has
   * the file; it is detached while the fence is on. A logical volume by the path that it has while no fence is on.
   */
  disks: z.array(z.strictObject({ vdev, path, loop: loop.optional(), volume: volume.optional() })),
  /** What both hosts of a move reach. `path`: the name that the configuration has for it, which the fence does not touch. */
  luns: z.array(z.strictObject({ vdev, path, lun })).default([]),
  configPath: path.nullable(),
  /** What makes the host start the VM at boot: the link or file in Xen's `auto` folder. */
  autostartPath: path.nullable(),
  savedImagePath: path.nullable(),
  /** A folder of this copy's own, which the fence makes: what it moves away lies there until the unfence. */
  asideFolder: path,
});
export type FencePlaces = z.infer<typeof fencePlaces>;
export type DiskPlaces = FencePlaces['disks'][number];

/** What of a LUN says where it lies. */
export function lunPlace({ vdev, path, lun }: FencePlaces['luns'][number]): FencePlaces['luns'][number] {
  return { vdev, path, lun };
}

/** What of a disk says where it lies. */
export function lying({ vdev, path, loop, volume }: PlacedDisk): DiskPlaces {
  return { vdev, path, ...(loop === undefined ? {} : { loop }), ...(volume === undefined ? {} : { volume }) };
}

type PlacedDisk = { [Field in keyof DiskPlaces]: DiskPlaces[Field] | undefined } & { vdev: string; path: string };
