import { succeeds } from '../dom0/system-errors.ts';
import type { Environment, FenceKind } from './locks.ts';
import { FileFence } from './file-fence.ts';
import type { DiskPlaces } from './places.ts';
import { VolumeFence } from './volume-fence.ts';

/**
 * What a fence does to one disk, by what kind of disk it is. Each step is durable before it returns and may be repeated, also after
 * a crash within it. Every method throws 'disk-missing', and 'fence-failed' when the disk is not of its kind any more.
 */
export interface DiskFence {
  /** Throws 'fence-failed' for what cannot be fenced. */
  check(): Promise<void>;
  /** Throws 'disk-busy' while somebody has it open, the device aside that `detach` takes it from. Changes nothing. */
  refuseUsed(): Promise<void>;
  /** Throws 'disk-busy' while anybody has it open. */
  refuseHeld(): Promise<void>;
  /** Takes it from the device that a guest has it by; false when there is none. */
  detach(env: Environment): Promise<boolean>;
  lock(kind: FenceKind, env: Environment): Promise<void>;
  /** `mode`: the permission bits that were noted before the lock; `marked`: whether it bears the VM's mark. */
  unlock(before: { mode: number | undefined; marked: boolean }, env: Environment): Promise<void>;
  /** The opposite of `detach`. */
  attach(env: Environment): Promise<boolean>;
  /** Throws 'fence-failed' unless it is locked and writers are refused. */
  prove(kind: FenceKind): Promise<void>;
}

/** The fence of a disk. */
export function fenceOf(disk: DiskPlaces): DiskFence {
  const { volume } = disk;
  return volume === undefined ? new FileFence(disk) : new VolumeFence({ ...disk, volume });
}

/** Whether a disk is locked now. */
export function isFenced(disk: DiskPlaces, kind: FenceKind): Promise<boolean> {
  return succeeds(fenceOf(disk).prove(kind));
}

/** Throws 'disk-busy' while anything has the disk open, 'disk-missing'. */
export async function refuseHeld(disk: DiskPlaces): Promise<void> {
  await fenceOf(disk).refuseHeld();
}
