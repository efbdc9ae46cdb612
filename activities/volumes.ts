import { notThere } from '../dom0/system-errors.ts';
import { SealiftError } from '../domain/error.ts';
import { diskShapeOf } from '../storage/disk-shape.ts';
import type { DiskMeasure } from '../storage/disk-shape.ts';
import { holdersOf } from '../storage/holders.ts';
import { volumeGroup } from '../storage/lvm.ts';
import type { LogicalVolume } from '../storage/lvm.ts';
import { openedByOthers, placeNow, requireVolume, whyUnfit } from '../storage/volume.ts';
import type { Place, Volume } from '../storage/volume.ts';

/** Throws `fence-failed` for a volume of a kind that cannot be fenced. */
export async function fitVolume(volume: Volume): Promise<LogicalVolume> {
  const found = await requireVolume(volume);
  const shared = (await volumeGroup(found.group))?.shared === true;
  const why = shared ? 'other machines may use its volume group too' : whyUnfit(found);
  if (why === null) return found;
  throw new SealiftError('fence-failed', `${why}, so it cannot be fenced`, { hint: 'copy it to a plain volume' });
}

/** What of dom0's own has a volume in use; while its VM runs, only what the kernel tells by name. */
export async function userBeside(found: LogicalVolume, running: boolean): Promise<string | null> {
  const holder = (await holdersOf(found.path)).find(({ pid }) => pid === 0);
  if (holder !== undefined) return holder.command;
  return !running && (await openedByOthers(found)) > 0 ? 'its device is open' : null;
}

/** The measures of a disk where it is now; null when they cannot be had. */
export async function shapeNow(disk: Place): Promise<DiskMeasure | null> {
  try {
    return await diskShapeOf(await placeNow(disk));
  } catch (error) {
    return notThere(error);
  }
}
