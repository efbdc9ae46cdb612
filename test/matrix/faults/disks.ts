import type { DiskFault, DiskOperation } from '../edits.ts';
import type { TestHost } from '../../support/world.ts';
import type { Point } from '../points.ts';
import type { Stage } from '../stage.ts';
import type { Fault } from './fault.ts';

/** Disks that fail once, under the worker. */
export const diskFaults: Fault[] = [
  { name: 'disk full', strike: (run) => breakDisk(run.stage, run.destination, 'write', 'ENOSPC'), at: isCopying },
  { name: 'write error', strike: (run) => breakDisk(run.stage, run.destination, 'write', 'EIO'), at: isCopying },
  {
    name: 'write lost without a word',
    strike: (run) => breakDisk(run.stage, run.destination, 'write', 'LOST'),
    at: isCopying,
  },
  {
    name: 'read error at the source',
    strike: (run) => breakDisk(run.stage, run.source, 'read', 'EIO'),
    at: (point) => isCopying(point) && !/after (send|seal)|copy|unseal/.test(point.name),
  },
  {
    name: 'read error at the destination',
    strike: (run) => breakDisk(run.stage, run.destination, 'read', 'EIO'),
    at: isVerifying,
  },
  {
    name: 'database full at the source',
    strike: (run) => breakDisk(run.stage, run.source, 'commit', 'ENOSPC'),
    at: isToWrite,
  },
  {
    name: 'database full at the destination',
    strike: (run) => breakDisk(run.stage, run.destination, 'commit', 'ENOSPC'),
    at: isToWrite,
  },
  {
    name: 'database fails at the source',
    strike: (run) => breakDisk(run.stage, run.source, 'commit', 'EIO'),
    at: isToWrite,
  },
  {
    name: 'database fails at the destination',
    strike: (run) => breakDisk(run.stage, run.destination, 'commit', 'EIO'),
    at: isToWrite,
  },
  { name: 'failed fsync', strike: (run) => breakDisk(run.stage, run.destination, 'sync', 'EIO'), at: isCopying },
];

/** Until the last chunk is on the disk. */
function isCopying(point: Point): boolean {
  return isVerifying(point) && !/after (last chunk|send|unseal)|manifest|READY/.test(point.name);
}

/** Until the destination has read back what it wrote. */
function isVerifying({ stage, name }: Point): boolean {
  return stage === 'move' && !/after READY|cede|accept|start|probe|receipt/.test(name);
}

/** Both hosts have something to write down then. */
function isToWrite({ stage, name }: Point): boolean {
  return stage === 'move' && !/after (start|receipt)|probe/.test(name);
}

/** A worker that ends itself, as a failed sync makes it, is started again by whoever runs the host. */
async function breakDisk(stage: Stage, at: TestHost, operation: DiskOperation, fault: DiskFault): Promise<void> {
  await stage.director.breakDisk(at.host.name, operation, fault);
  if (operation === 'sync' || (operation === 'commit' && fault === 'EIO')) stage.superviseOnce(at);
}
