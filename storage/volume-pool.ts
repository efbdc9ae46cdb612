import { SealiftError } from '../domain/error.ts';
import type { Pool } from '../domain/host-file.ts';
import { alignedBuffer, pageBytes } from './aligned.ts';
import { diskShapeOf } from './disk-shape.ts';
import { openDisk } from './disk.ts';
import { devicesOf, lvm, volumeGroup, volumesOf } from './lvm.ts';
import type { LogicalVolume } from './lvm.ts';
import { markText, parseMark } from './mark.ts';
import type { Mark } from './mark.ts';
import type { PoolSpace } from './pool.ts';
import { markTag, markTextOf } from './volume-mark.ts';
import { activate } from './volume.ts';
import type { Volume } from './volume.ts';
import { zeroRange } from './zero.ts';

export type VolumePool = Pool & { kind: 'lvm' };

/** The space of a volume group, or of a thin pool in it. Throws `bad-config` where it is not there, `lvm-failed`. */
export async function groupSpace(pool: VolumePool): Promise<PoolSpace> {
  const group = await volumeGroup(pool.group);
  if (group === null) {
    throw new SealiftError('bad-config', `pool ${pool.name} has no volume group ${pool.group}`, {
      hint: 'vgs on the host lists those that are there',
    });
  }
  if (group.shared) {
    throw new SealiftError('bad-config', `pool ${pool.name}: other machines may use volume group ${pool.group} too`);
  }
  const devices = await Promise.all((await devicesOf(pool.group)).map(diskShapeOf));
  const common = { unitBytes: group.extentBytes, sectorBytes: Math.max(...devices.map((one) => one.sectorBytes)) };
  if (pool.thin === undefined) return { freeBytes: group.freeBytes, totalBytes: group.sizeBytes, ...common };
  const thin = (await volumesOf(pool.group)).find((one) => one.name === pool.thin);
  if (thin?.segmentType !== 'thin-pool') {
    throw new SealiftError('bad-config', `pool ${pool.name} has no thin pool ${pool.group}/${pool.thin}`);
  }
  return { freeBytes: unwritten(thin), totalBytes: thin.sizeBytes, ...common };
}

/** How many bytes those of the volumes that lie in the pool may still take of its space. Throws `lvm-failed`. */
export async function unwrittenVolumeBytes(pool: VolumePool, uuids: readonly string[]): Promise<number> {
  // The others have all their space from their making on.
  if (pool.thin === undefined || uuids.length === 0) return 0;
  const own = (await volumesOf(pool.group)).filter(
    ({ uuid, thinPool }) => uuids.includes(uuid) && thinPool === pool.thin,
  );
  return own.reduce((sum, found) => sum + unwritten(found), 0);
}

/** The volume to be made. `reservedBytes`: what other landings in this pool have still to write. */
export interface VolumeAllocation {
  /** A private name within the group. */
  name: string;
  sizeBytes: number;
  reservedBytes: number;
  /** It bears it from its making on. */
  mark: Mark;
}

/**
 * Makes a volume of at least that size and gives its path. It holds old bytes of others, but zeros behind the size that was asked for. A
 * volume that an earlier call made, by its name and mark, is given as it is. Throws `no-space`; `unknown-state` when that name is
 * taken by anything else, which is never touched; `bad-config` without the pool, `lvm-failed`.
 */
export async function allocateVolume(
  pool: VolumePool,
  wanted: VolumeAllocation,
): Promise<{ path: string; volume: Volume }> {
  const { group } = pool;
  const known = await ownVolume(pool, wanted);
  if (known === undefined) {
    await checkSpace(pool, wanted);
    await makeVolume(pool, wanted);
  }
  const found = known ?? (await ownVolume(pool, wanted));
  if (found === undefined) throw new SealiftError('lvm-failed', `the new volume ${group}/${wanted.name} is not there`);
  await activate(found, {});
  await zeroTail(found.path, wanted.sizeBytes);
  return { path: found.path, volume: { group, uuid: found.uuid, name: wanted.name } };
}

async function ownVolume(
  pool: VolumePool,
  { name, sizeBytes, mark }: VolumeAllocation,
): Promise<LogicalVolume | undefined> {
  const found = (await volumesOf(pool.group)).find((one) => one.name === name);
  if (found === undefined) return undefined;
  const text = markTextOf(found);
  const is = text === null ? null : parseMark(text, found.path);
  const own = is?.lineage === mark.lineage && is.token === mark.token && is.role === mark.role;
  if (!own || found.thinPool !== (pool.thin ?? null) || found.sizeBytes < sizeBytes) {
    throw new SealiftError('unknown-state', `${found.path} was not made by this landing`);
  }
  return found;
}

async function checkSpace(pool: VolumePool, { sizeBytes, reservedBytes }: VolumeAllocation): Promise<void> {
  const { freeBytes, unitBytes } = await groupSpace(pool);
  const neededBytes = Math.ceil(sizeBytes / unitBytes) * unitBytes;
  if (neededBytes + reservedBytes <= freeBytes) return;
  const reserved = reservedBytes > 0 ? `, ${String(reservedBytes)} of them reserved` : '';
  throw new SealiftError(
    'no-space',
    `pool ${pool.name} has ${String(freeBytes)} bytes free${reserved}, the disk takes ${String(neededBytes)}`,
  );
}

/** With LVM's own care for signatures: what is left of other file systems and arrays could make programs of dom0 open the device. */
async function makeVolume({ group, thin }: VolumePool, { name, sizeBytes, mark }: VolumeAllocation): Promise<void> {
  const size = `${String(Math.ceil(sizeBytes / 512) * 512)}b`;
  const common = ['lvcreate', '--yes', '--quiet', '--name', name, '--addtag', markTag(markText(mark))];
  if (thin === undefined) await lvm([...common, '--size', size, group]);
  else await lvm([...common, '--thin', '--virtualsize', size, `${group}/${thin}`]);
}

/** What lies behind the disk's own bytes, from the page on that its last byte is in. */
async function zeroTail(path: string, sizeBytes: number): Promise<void> {
  const disk = await openDisk(path, 'write');
  try {
    const from = sizeBytes - (sizeBytes % pageBytes);
    if (from < disk.sizeBytes)
      await zeroRange(disk, from, disk.sizeBytes - from, (scratch ??= alignedBuffer(scratchBytes)));
    await disk.sync();
  } finally {
    await disk.close();
  }
}

const scratchBytes = 256 * 1024;
let scratch: Buffer | undefined;

function unwritten({ sizeBytes, dataShare }: LogicalVolume): number {
  return Math.max(0, Math.floor(sizeBytes * (1 - (dataShare ?? 1))));
}
