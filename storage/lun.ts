import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { dom0 } from '../dom0/dom0.ts';
import { errorCode, notThere } from '../dom0/system-errors.ts';
import { isSealiftError, SealiftError } from '../domain/error.ts';
import { iscsiTarget } from '../domain/host-file.ts';
import type { IscsiTarget } from '../domain/host-file.ts';
import { lunId } from '../domain/manifest.ts';
import { fenceIface, login, logout, ownIface, rescan, sessions } from './iscsi.ts';
import type { IscsiSession } from './iscsi.ts';

/** A disk of an iSCSI target: found by what the target calls it, whatever its device is. */
export const lun = z.strictObject({ id: lunId, target: iscsiTarget });
export type Lun = z.infer<typeof lun>;

/** A LUN that this host reaches. */
export interface ReachedLun {
  lun: Lun;
  /** Its device now: `/dev/sda`. */
  device: string;
  session: IscsiSession;
}

const commandLimitMs = 10_000;
/** How long the kernel may take after a login until a disk is there. */
const appearLimitMs = 5_000;
const lookMs = 100;
/** Names that udev gives a disk by what it is. */
const byIdFolder = '/dev/disk/by-id';
/** Names of our own where there is no udev. */
const ownFolder = '/dev/sealift';

/** The LUN that a device is as a whole; null for any other device. Throws `iscsi-failed`, `fence-failed` for one without a name. */
export async function lunBehind(device: string): Promise<Lun | null> {
  const session = (await sessions()).find(({ disks }) => disks.includes(basename(device)));
  if (session === undefined) return null;
  const id = await idOf(device);
  const target = iscsiTarget.safeParse({ name: session.name, portal: session.portal });
  if (id !== null && target.success) return { id, target: target.data };
  throw new SealiftError('fence-failed', 'it, or its target, has no name that Sealift takes, so it cannot be fenced');
}

/**
 * A LUN of one of the targets, logged in to where need be, as `onLogin` is told; null when none of them has it. Throws `iscsi-failed`,
 * `disk-shared` when it is there by several sessions.
 */
export async function findLun(
  id: string,
  targets: readonly IscsiTarget[],
  onLogin?: (target: IscsiTarget) => void,
): Promise<ReachedLun | null> {
  const there = await seenLun(id, await sessions(), targets);
  if (there !== null) return there;
  let away: Error | null = null;
  for (const target of targets) {
    try {
      const session = await sessionWith(target);
      if (session === null) {
        await login(target, ownIface);
        onLogin?.(target);
      } else await rescan(session);
      const found = await appearing(id, target);
      if (found !== null) return found;
    } catch (error) {
      if (!isSealiftError(error) || error.type !== 'iscsi-failed') throw error;
      away ??= error;
    }
  }
  // It may be at the one that did not answer.
  if (away !== null) throw away;
  return null;
}

/** The same where it must be there. Throws `disk-missing`, and `iscsi-failed` as long as its session is not up. */
export async function reachLun({ id, target }: Lun): Promise<ReachedLun> {
  const found = await findLun(id, [target]);
  if (found !== null) return found;
  if ((await sessionWith(target))?.whole !== true)
    throw new SealiftError('iscsi-failed', `the session by which the LUN ${id} was reached is not up`);
  throw new SealiftError('disk-missing', `its target has no LUN ${id} for this host`);
}

/** A LUN among the disks of sessions that are there. */
export async function seenLun(
  id: string,
  among: readonly IscsiSession[],
  targets: readonly IscsiTarget[],
  iface?: string,
): Promise<ReachedLun | null> {
  const found: ReachedLun[] = [];
  for (const session of among) {
    const { name, portal } = session;
    if (!targets.some((one) => one.name === name)) continue;
    if (iface === undefined ? session.iface === fenceIface : session.iface !== iface) continue;
    for (const disk of session.disks) {
      const device = join('/dev', disk);
      if ((await idOf(device)) === id) found.push({ lun: { id, target: { name, portal } }, device, session });
    }
  }
  if (found.length <= 1) return found[0] ?? null;
  throw new SealiftError(
    'disk-shared',
    `the disk ${id} is there by several sessions, of which a fence would cover one`,
    {
      hint: 'log in to its target by one portal only',
    },
  );
}

/** A name of a LUN's device that is the same after a reboot: udev's, or one that is made where there is none. */
export async function lunPath({ lun: { id }, device }: ReachedLun): Promise<string> {
  const [, value = ''] = id.split(/\.(.*)/s);
  const names = (await dom0().readdir(byIdFolder).catch(notThere)) ?? [];
  for (const name of names
    .filter((one) => one.includes(value))
    .sort()
    .reverse()) {
    const path = join(byIdFolder, name);
    if ((await dom0().realpath(path).catch(notThere)) === device) return path;
  }
  return ownName(id, device);
}

/** Makes a name of our own lead to the LUN again: after a boot it is gone. Does nothing to any other name. */
export async function renewName(path: string, { lun: { id }, device }: ReachedLun): Promise<void> {
  if (path === join(ownFolder, id)) await ownName(id, device);
}

/**
 * Ends the session with a target unless a disk of it is in use, as `isUsed` says of its device and its id, or is not to be seen; false
 * when it goes on.
 */
export async function leaveTarget(
  { name }: IscsiTarget,
  isUsed: (device: string, id: string) => Promise<boolean>,
): Promise<boolean> {
  const session = await sessionWith({ name });
  if (session === null) return true;
  if (!session.whole) return false;
  for (const disk of session.disks) {
    const device = join('/dev', disk);
    const id = await idOf(device);
    if (id === null || (await isUsed(device, id))) return false;
  }
  await logout(session);
  return true;
}

/** Waits for the kernel to show a disk after a login or a rescan. */
export async function appearing(id: string, target: IscsiTarget, iface?: string): Promise<ReachedLun | null> {
  const end = performance.now() + appearLimitMs;
  for (;;) {
    const found = await seenLun(id, await sessions(), [target], iface);
    if (found !== null || performance.now() > end) return found;
    await sleep(lookMs);
  }
}

async function sessionWith({ name }: Pick<IscsiTarget, 'name'>): Promise<IscsiSession | null> {
  return (await sessions()).find((one) => one.name === name && one.iface !== fenceIface) ?? null;
}

/** What the target calls a disk, the most exact name first (VPD page 0x83: SPC-4, 7.8.6). */
async function idOf(device: string): Promise<string | null> {
  const argv = ['sg_inq', '--export', '--page=di', device] as const;
  const { ended, exitCode, stdout } = await dom0().run(argv, { limitMs: commandLimitMs });
  if (ended === 'missing')
    throw new SealiftError('iscsi-failed', 'this host has no sg_inq', { hint: 'install sg3-utils' });
  if (exitCode !== 0) return null;
  for (const [field, kind] of [
    ['NAA_REGEXT', 'naa'],
    ['NAA_REG', 'naa'],
    ['NAA_EXT', 'naa'],
    ['EUI64', 'eui'],
    ['NAME', 'name'],
    ['T10', 't10'],
  ] as const) {
    const value = new RegExp(`^SCSI_IDENT_LUN_${field}=(.+)$`, 'm').exec(stdout)?.[1];
    const named = lunId.safeParse(value === undefined ? undefined : `${kind}.${value}`);
    if (named.success) return named.data;
  }
  return null;
}

async function ownName(id: string, device: string): Promise<string> {
  const path = join(ownFolder, id);
  if ((await dom0().readlink(path).catch(notThere)) === device) return path;
  await dom0().mkdir(ownFolder, { recursive: true, mode: 0o755 });
  await dom0().remove(path);
  await dom0()
    .symlink(device, path)
    .catch((error: unknown) => {
      if (errorCode(error) !== 'EEXIST') throw error;
    });
  return path;
}
