import type { DiskFault } from '../edits.ts';
import type { Run } from '../run.ts';
import type { Fault } from './fault.ts';

/** Disks that fail once, under the worker. */
export const diskFaults: Fault[] = [
  { name: 'disk full', strike: (run) => breakDisk(run, 'fra-1', 'write', 'ENOSPC') },
  { name: 'write error', strike: (run) => breakDisk(run, 'fra-1', 'write', 'EIO') },
  { name: 'write lost without a word', strike: (run) => breakDisk(run, 'fra-1', 'write', 'LOST') },
  { name: 'read error at the source', strike: (run) => breakDisk(run, 'lon-1', 'read', 'EIO') },
  { name: 'read error at the destination', strike: (run) => breakDisk(run, 'fra-1', 'read', 'EIO') },
  { name: 'failed fsync', strike: (run) => breakDisk(run, 'fra-1', 'sync', 'EIO') },
];

/** A worker that ends itself, as a failed sync makes it, is started again by whoever runs the host. */
async function breakDisk(
  { stage }: Run,
  host: string,
  operation: 'read' | 'write' | 'sync',
  fault: DiskFault,
): Promise<void> {
  await stage.director.breakDisk(host, operation, fault);
  if (operation === 'sync') stage.superviseOnce(stage.host(host));
}
