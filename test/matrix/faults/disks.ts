import type { DiskFault } from '../edits.ts';
import type { TestHost } from '../../support/world.ts';
import type { Stage } from '../stage.ts';
import type { Fault } from './fault.ts';

/** Disks that fail once, under the worker. */
export const diskFaults: Fault[] = [
  { name: 'disk full', strike: (run) => breakDisk(run.stage, run.destination, 'write', 'ENOSPC') },
  { name: 'write error', strike: (run) => breakDisk(run.stage, run.destination, 'write', 'EIO') },
  { name: 'write lost without a word', strike: (run) => breakDisk(run.stage, run.destination, 'write', 'LOST') },
  { name: 'read error at the source', strike: (run) => breakDisk(run.stage, run.source, 'read', 'EIO') },
  { name: 'read error at the destination', strike: (run) => breakDisk(run.stage, run.destination, 'read', 'EIO') },
  { name: 'failed fsync', strike: (run) => breakDisk(run.stage, run.destination, 'sync', 'EIO') },
];

/** A worker that ends itself, as a failed sync makes it, is started again by whoever runs the host. */
async function breakDisk(
  stage: Stage,
  at: TestHost,
  operation: 'read' | 'write' | 'sync',
  fault: DiskFault,
): Promise<void> {
  await stage.director.breakDisk(at.host.name, operation, fault);
  if (operation === 'sync') stage.superviseOnce(at);
}
