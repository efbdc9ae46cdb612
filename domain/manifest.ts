import { z } from 'zod';
import { digest, lineage, token, vdev, vmName, vmUuid } from './names.ts';

/** What a target calls one of its disks (VPD page 0x83), whatever a host's device for it is called: `naa.6000…`. */
export const lunId = z.string().regex(/^(naa|eui|name|t10)\.[A-Za-z0-9_.:-]{1,200}$/, 'not the name of a LUN');

const crossingShape = z.strictObject({ vdev, sizeBytes: z.int().min(1), sectorBytes: z.int().min(512) });
/** A disk that both hosts reach, so that no byte of it crosses. */
export const sharedShape = crossingShape.extend({ lun: lunId });
export type SharedShape = z.infer<typeof sharedShape>;
/** One disk of a VM as it is told to the other host: no path, no name of a host's storage. */
export const diskShape = crossingShape.extend({ lun: lunId.optional() });
export type DiskShape = z.infer<typeof diskShape>;

/** The disk of a run that is no disk of the guest but the image of its memory; xl takes no such name for one. */
export const memoryVdev = 'memory';

/** The disks whose bytes cross. */
export function crossingDisks<Disk extends { lun?: unknown }>(disks: readonly Disk[]): Disk[] {
  return disks.filter(({ lun }) => lun === undefined);
}

/** The disks that both hosts reach. */
export function sharedDisks<Disk extends { lun?: unknown }>(
  disks: readonly Disk[],
): (Disk & { lun: NonNullable<Disk['lun']> })[] {
  return disks.filter((disk): disk is Disk & { lun: NonNullable<Disk['lun']> } => disk.lun !== undefined);
}

/** Whether it is the image of the guest's memory. */
export function isMemory({ vdev }: { vdev: string }): boolean {
  return vdev === memoryVdev;
}

/**
 * What must be at the destination. Its root (`seal/manifest.ts`) names the whole: the configuration, and per disk its
 * size and one SHA-256 digest per chunk of plain content. It crosses sealed; only the root may be seen by others.
 */
export const manifest = z.strictObject({
  lineage,
  token,
  vmUuid,
  vmName,
  /** The xl configuration as the source has it, in the form of xl.cfg(5). */
  config: z.string(),
  /** Whether the source's dom0 starts the VM at boot; the destination does the same after it accepted the deed. */
  autostart: z.boolean(),
  disks: z.array(crossingShape.extend({ /** SHA-256 over the disk's chunk digests in order. */ digest })),
  /** What does not cross since both hosts reach it. */
  shared: z.array(sharedShape).min(1).optional(),
  /** `live`: the session by which the guest's memory came that is its last. */
  memory: z.strictObject({ session: z.int().min(1) }).optional(),
});
export type Manifest = z.infer<typeof manifest>;
