import type { DiskFault, DiskOperation } from '../edits.ts';
import type { End, Point } from '../points.ts';
import type { Run } from '../run.ts';
import type { Fault, Met } from './fault.ts';

/** How long a host has no space left. */
const fullMs = 4_000;

/** Disks, files and databases that fail, under the worker: once, or for a while. */
export const diskFaults: Fault[] = [
  failing('disk full', 'destination', 'write', 'ENOSPC', isCopying),
  failing('write error', 'destination', 'write', 'EIO', isCopying),
  failing('write lost without a word', 'destination', 'write', 'LOST', isCopying),
  failing(
    'read error at the source',
    'source',
    'read',
    'EIO',
    (point) => isCopying(point) && !/after (send|seal)|copy|unseal/.test(point.name),
  ),
  failing('read error at the destination', 'destination', 'read', 'EIO', isVerifying),
  failing('database full at the source', 'source', 'commit', 'ENOSPC', isToWrite),
  failing('database full at the destination', 'destination', 'commit', 'ENOSPC', isToWrite),
  failing('database fails at the source', 'source', 'commit', 'EIO', isToWrite),
  failing('database fails at the destination', 'destination', 'commit', 'EIO', isToWrite),
  failing('failed fsync', 'destination', 'sync', 'EIO', isCopying),
  failing('file not written at the source', 'source', 'file', 'EIO', isToFence),
  failing('file not written at the destination', 'destination', 'file', 'EIO', isToWrite),
  failing('file not synced at the source', 'source', 'file-sync', 'EIO', isToFence),
  failing('file not synced at the destination', 'destination', 'file-sync', 'EIO', isToWrite),
  full('source'),
  full('destination'),
  failing('container: disk full', 'source', 'write', 'ENOSPC', isSealing),
  failing('container: write error', 'source', 'write', 'EIO', isSealing),
  failing('container: write lost without a word', 'source', 'write', 'LOST', isSealing),
  failing('container: failed fsync', 'source', 'sync', 'EIO', isSealing),
];

/** A worker that ends itself, as a failed sync makes it, is started again by whoever runs the host. */
function failing(
  name: string,
  end: End,
  operation: DiskOperation,
  fault: DiskFault,
  at: (point: Point) => boolean,
): Fault {
  const endsWorker = operation.endsWith('sync') || (operation === 'commit' && fault === 'EIO');
  const strike = async ({ stage, laid, [end]: host }: Run): Promise<void> => {
    laid.push(await stage.director.breakDisk(host.host.name, operation, fault));
    if (endsWorker) stage.superviseOnce(host);
  };
  return { name, strike, at, ...(end === 'source' || endsWorker ? {} : { passes: true }) };
}

/** All that a host writes lies on one disk. */
function full(end: End): Fault {
  const strike = async ({ stage, laid, [end]: host }: Run): Promise<void> => {
    const met: Met[] = [];
    for (const operation of ['write', 'commit', 'file'] as const) {
      met.push(await stage.director.breakDisk(host.host.name, operation, 'ENOSPC', fullMs));
    }
    laid.push(() => met.some((one) => one()));
  };
  return { name: `${end} host full for a while`, strike, at: isToWrite, ...(end === 'source' ? {} : { passes: true }) };
}

/** Until the last chunk is on the disk. */
function isCopying(point: Point): boolean {
  return isVerifying(point) && !/after (last chunk|send|unseal)|manifest|READY/.test(point.name);
}

/** By `staged`, until the source has made its container. */
function isSealing(point: Point): boolean {
  return !point.methods.includes('sealed') && isCopying(point) && !/after seal|copy|unseal|chunk/.test(point.name);
}

/** Until the destination has read back what it wrote. */
function isVerifying({ stage, name }: Point): boolean {
  return stage === 'move' && !/after READY|cede|accept|start|probe|receipt/.test(name);
}

/** The last small file that the source writes is what it puts in the place of the configuration. */
function isToFence({ stage, name }: Point): boolean {
  return stage === 'move' && /survey|open|receive|admit|stop|before fence/.test(name);
}

/** Both hosts have something to write down then. */
function isToWrite({ stage, name }: Point): boolean {
  return stage === 'move' && !/after (start|receipt)|probe/.test(name);
}
