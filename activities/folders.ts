import { join } from 'node:path';
import type { HostFile } from '../domain/host-file.ts';

/** Folder of the secret halves of run keys, one file a recipient. */
export function runKeyFolder(file: HostFile): string {
  return join(file.state, 'run-keys');
}

/** Folder of what fences move aside, one folder a copy; beside Xen's configuration, so that moving is a rename. */
export function asideRoot(file: HostFile): string {
  return join(file.xen.etc, 'sealift');
}

/** Where a landing's disks of a run lie within their pool: a private name that no configuration knows before the accept. */
export function landingFolder(run: { vmName: string; lineage: string; token: number }): string {
  return `${run.vmName}.${run.lineage.slice(0, 8)}.${String(run.token)}`;
}

/** Names one host's copy of a VM: a lineage may leave several behind, one a run. */
export function copyName(run: { lineage: string; token: number }): string {
  return `${run.lineage}.${String(run.token)}`;
}

/** A run's name in the journals. */
export function runName(run: { lineage: string; token: number }): string {
  return `${run.lineage}/${String(run.token)}`;
}
