import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { dom0 } from '../dom0/dom0.ts';
import { errorCode } from '../dom0/system-errors.ts';
import { SealiftError } from '../domain/error.ts';
import { deviceFolder } from './disk-shape.ts';
import { syncWhole } from './durable-file.ts';
import { lvm, volumesOf } from './lvm.ts';
import type { Environment, LogicalVolume } from './lvm.ts';

const lvmName = z.string().regex(/^[A-Za-z0-9+_.][A-Za-z0-9+_.-]{0,126}$/, 'not a name of LVM');
/** A logical volume that holds a disk: found by its LVM uuid, whatever it is called now. */
export const volume = z.strictObject({
  group: lvmName,
  uuid: z.string().regex(/^[A-Za-z0-9]{6}(-[A-Za-z0-9]{4}){5}-[A-Za-z0-9]{6}$/, 'not the uuid of a logical volume'),
  /** Its name while no fence is on. */
  name: lvmName,
});
export type Volume = z.infer<typeof volume>;

/** A disk as far as its place goes. */
export interface Place {
  /** Its file, or the name that its volume has while no fence is on. */
  path: string;
  volume?: Volume | undefined;
}

const commandLimitMs = 30_000;

/** The name of a fenced volume, which no configuration mentions. */
export function lockedName({ uuid }: Volume): string {
  return `sealift-${uuid}`;
}

/**
 * The volume behind a block device, by what the kernel says of it; null for any other device. Throws `fence-failed` when `target`,
 * the name that a configuration has for it, would lead to it under another name of the volume too.
 */
export async function volumeBehind(target: string, device: bigint): Promise<{ path: string; volume: Volume } | null> {
  const folder = `${deviceFolder(device)}/dm`;
  const uuid = /^LVM-[A-Za-z0-9]{32}([A-Za-z0-9]{32})\n?$/.exec(await readOr(`${folder}/uuid`))?.[1];
  if (uuid === undefined) return null;
  const dmName = (await readOr(`${folder}/name`)).trim();
  // A hyphen within a name is written twice.
  const [, group = '', name = ''] = /^((?:[^-]|--)+)-((?:[^-]|--)+)$/.exec(dmName) ?? [];
  const parts = [6, 4, 4, 4, 4, 4, 6];
  let at = 0;
  const dashed = parts.map((length) => uuid.slice(at, (at += length))).join('-');
  const found = volume.parse({ group: plain(group), name: plain(name), uuid: dashed });
  const path = `/dev/${found.group}/${found.name}`;
  if (await leadsThrough(target, [path, `/dev/mapper/${dmName}`])) return { path, volume: found };
  throw new SealiftError('fence-failed', 'it is named by a path that would lead to it under any name', {
    hint: 'name it as /dev/GROUP/VOLUME in the configuration',
  });
}

/** What LVM says of a disk's volume; null when it is not there. Throws `lvm-failed`. */
export async function findVolume({ group, uuid }: Volume): Promise<LogicalVolume | null> {
  return (await volumesOf(group)).find((one) => one.uuid === uuid) ?? null;
}

/** The same. Throws `disk-missing`. */
export async function requireVolume(wanted: Volume): Promise<LogicalVolume> {
  const found = await findVolume(wanted);
  if (found !== null) return found;
  const { group, name, uuid } = wanted;
  throw new SealiftError('disk-missing', `no logical volume ${group}/${name} (uuid ${uuid})`);
}

/** Where a disk can be opened now: its file, or its volume under the name that it has, activated. Throws `disk-missing`, `lvm-failed`. */
export async function placeNow({ path, volume }: Place): Promise<string> {
  if (volume === undefined) return path;
  const found = await requireVolume(volume);
  await activate(found, {});
  return found.path;
}

/** Why a volume cannot be the disk of a VM that is to move; null when it can. */
export function whyUnfit({ segmentType, roles }: LogicalVolume): string | null {
  // A snapshot of a thin volume is a volume of its own.
  if (segmentType === 'thin') return null;
  if (roles.includes('snapshot')) return 'it is a snapshot';
  if (roles.includes('origin')) return 'it has snapshots, which would go with it';
  return ['linear', 'striped'].includes(segmentType) ? null : `it is a logical volume of the kind ${segmentType}`;
}

/** Gives a volume another name, durably. Throws `lvm-failed`, also when the name is taken. */
export async function renameVolume(found: LogicalVolume, name: string, env: Environment): Promise<LogicalVolume> {
  await lvm(['lvrename', '--yes', found.group, found.name, name], env);
  const renamed = { ...found, name, path: join(dirname(found.path), name) };
  await flush(renamed);
  return renamed;
}

/** Replaces tags of a volume by others, durably and at once. */
export async function retagVolume(
  found: LogicalVolume,
  gone: string[],
  added: string[],
  env: Environment,
): Promise<void> {
  const changes = [...gone.flatMap((tag) => ['--deltag', tag]), ...added.flatMap((tag) => ['--addtag', tag])];
  if (changes.length === 0) return;
  await lvm(['lvchange', '--yes', ...changes, `${found.group}/${found.name}`], env);
  await flush(found);
}

/** Removes a volume for good; one that is not there is fine. Throws `lvm-failed`, also while it is open. */
export async function removeVolume(wanted: Volume): Promise<void> {
  const found = await findVolume(wanted);
  if (found !== null) await lvm(['lvremove', '--yes', `${found.group}/${found.name}`]);
}

/** What a volume takes of its group or pool. */
export function volumeBytes({ sizeBytes, thinPool, dataShare }: LogicalVolume): number {
  return thinPool === null ? sizeBytes : Math.ceil(sizeBytes * (dataShare ?? 1));
}

/** Makes a volume's device be there; a boot need not have done so. */
export async function activate(found: LogicalVolume, env: Environment): Promise<void> {
  if (!found.active) await lvm(['lvchange', '--yes', '--activate', 'y', `${found.group}/${found.name}`], env);
}

/**
 * How many openings of the volume's device there are beside this process's own. It counts those of the kernel too, as a guest's
 * backend has one, that no process shows. Throws `lvm-failed`.
 */
export async function openedByOthers({ path, dmPath, active }: LogicalVolume): Promise<number> {
  if (!active) return 0;
  const before = await ownOpenings(path);
  const { exitCode, stdout, stderr } = await dom0().run(
    ['dmsetup', 'info', '--columns', '--noheadings', '--options', 'open', dmPath],
    { limitMs: commandLimitMs },
  );
  if (exitCode !== 0 || !/^\s*\d+\s*$/.test(stdout)) {
    throw new SealiftError('lvm-failed', `dmsetup info failed: ${stderr.trim().slice(0, 200)}`);
  }
  // Rather one too many: what is closed or opened meanwhile is looked at again by the next attempt.
  return Math.max(0, Number(stdout) - Math.min(before, await ownOpenings(path)));
}

async function ownOpenings(path: string): Promise<number> {
  const device = (await dom0().statEach(path)).get(path);
  if (device?.kind !== 'block') return 0;
  const own = [...(await dom0().ownPids())].map((pid) => dom0().statEach(`/proc/${String(pid)}/fd/*`));
  const open = (await Promise.all(own)).flatMap((found) => [...found.values()]);
  return open.filter(({ rdev }) => rdev === device.rdev).length;
}

/** What LVM writes lies on the devices below, whose caches a flush of any volume of theirs empties. */
async function flush({ path, active }: LogicalVolume): Promise<void> {
  if (!active) return;
  const handle = await dom0().open(path, 'read');
  try {
    await syncWhole(handle, path);
  } finally {
    await handle.close();
  }
}

/** Whether following `target` link by link comes by one of the names. */
async function leadsThrough(target: string, names: string[]): Promise<boolean> {
  let at = target;
  for (let links = 0; links < 40; links += 1) {
    const here = join(await dom0().realpath(dirname(at)), basename(at));
    if (names.includes(at) || names.includes(here)) return true;
    if ((await dom0().lstat(here)).kind !== 'link') return false;
    const next = await dom0().readlink(here);
    at = next.startsWith('/') ? next : join(dirname(here), next);
  }
  return false;
}

function plain(dmPart: string): string {
  return dmPart.replaceAll('--', '-');
}

async function readOr(path: string): Promise<string> {
  try {
    return (await dom0().readFile(path)).toString('utf8');
  } catch (error) {
    if (['ENOENT', 'ENODEV'].includes(errorCode(error))) return '';
    throw error;
  }
}
