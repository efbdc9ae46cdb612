import { z } from 'zod';
import { digest, lineage, token, vdev, vmName, vmUuid } from './names.ts';

/** One disk of a VM as it crosses: no path, no name of a host's storage. */
export const diskShape = z.strictObject({ vdev, sizeBytes: z.int().min(1), sectorBytes: z.int().min(512) });
export type DiskShape = z.infer<typeof diskShape>;

/** The disk of a run that is no disk of the guest but the image of its memory; xl takes no such name for one. */
export const memoryVdev = 'memory';

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
  disks: z.array(diskShape.extend({ /** SHA-256 over the disk's chunk digests in order. */ digest })).min(1),
});
export type Manifest = z.infer<typeof manifest>;
