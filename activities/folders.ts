import { basename, join } from 'node:path';
import type { HostFile } from '../domain/host-file.ts';

/** Folder of the secret halves of run keys, one file a recipient. */
export function runKeyFolder(file: HostFile): string {
  return join(file.state, 'run-keys');
}

/** Folder of dom0 with the images of guests' memory, one folder a run; as secret as the disks. */
export function memoryFolder({ dom0, state }: HostFile): string {
  return join(dom0.access === 'local' ? state : dom0.folder, 'memory');
}

/** Folder of what fences move aside, one folder a copy; beside Xen's configuration, so that moving is a rename. */
export function asideRoot(file: HostFile): string {
  return join(file.xen.etc, 'sealift');
}

/** Where a landing's disks of a run lie within their pool: a private name that no configuration knows before the accept. */
export function landingFolder(run: { vmName: string; lineage: string; token: number }): string {
  return `${run.vmName}.${run.lineage.slice(0, 8)}.${String(run.token)}`;
}

/** The name of a volume of a landing, of the letters that LVM takes and none of the words that it keeps for itself. */
export function landingVolume(run: { vmName: string; lineage: string; token: number }, vdev: string): string {
  const vmName = run.vmName.replaceAll(/[^A-Za-z0-9.-]/g, '.').slice(0, 40);
  return `vm-${landingFolder({ ...run, vmName })}.${vdev}`;
}

/** Whether a folder was made for a landing of the VM: the disks in it are its own once it has landed, and a copy once it has gone on. */
export function isLandingFolder(path: string, lineage: string): boolean {
  return new RegExp(`\\.${lineage.slice(0, 8)}\\.\\d+$`).test(basename(path));
}

/** Names one host's copy of a VM: a lineage may leave several behind, one a run. */
export function copyName(run: { lineage: string; token: number }): string {
  return `${run.lineage}.${String(run.token)}`;
}

/** A run's name in the journals. */
export function runName(run: { lineage: string; token: number }): string {
  return `${run.lineage}/${String(run.token)}`;
}
