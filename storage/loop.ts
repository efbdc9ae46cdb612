import { basename } from 'node:path';
import { z } from 'zod';
import { dom0 } from '../dom0/dom0.ts';
import { errorCode, notThere } from '../dom0/system-errors.ts';
import { SealiftError } from '../domain/error.ts';
import { openFailure } from './disk-errors.ts';
import { deviceFolder, diskShapeOf } from './disk-shape.ts';
import { syncWhole } from './durable-file.ts';
import { lunBehind } from './lun.ts';
import type { Lun } from './lun.ts';
import { volumeBehind } from './volume.ts';
import type { Volume } from './volume.ts';

/** The loop device by which a guest has a file; what it takes to attach it anew, after a reboot too. */
export const loop = z.strictObject({
  device: z.string().regex(/^\/dev\/loop\d+$/),
  directIo: z.boolean(),
});
export type Loop = z.infer<typeof loop>;

/** Variables for the programs that are run. */
type Environment = Readonly<Record<string, string>>;

const commandLimitMs = 10_000;
/** What a guest sees of a raw file: a loop device of other sectors would hold other partition tables. */
const fileSectorBytes = 512;

/**
 * Where the bytes of a disk lie that a configuration names: links followed, and a loop device taken for the file below it, which
 * is what keeps its name and its flags through a reboot. A logical volume is given by the name that a fence takes from it, a LUN by
 * the name that the configuration has for it. Throws `disk-missing`, and `fence-failed` for a block device that is neither of these nor a
 * whole, writable regular file by a loop device: the message names no path.
 */
export async function diskPlace(target: string): Promise<{ path: string; loop?: Loop; volume?: Volume; lun?: Lun }> {
  const path = await dom0()
    .realpath(target)
    .catch((error: unknown) => {
      throw openFailure(target, 'read', error);
    });
  const status = await dom0().stat(path);
  if (status.kind !== 'block') return { path };
  const logical = await volumeBehind(target, status.rdev);
  if (logical !== null) return logical;
  const lun = await lunBehind(path);
  if (lun !== null) return { path: target, lun };
  const folder = deviceFolder(status.rdev);
  const backing = await readSetting(folder, 'loop/backing_file');
  if (backing === null) {
    throw cannotFence(
      'it is a block device that is no loop device, no logical volume and no LUN of iSCSI, and nothing that can be set on one keeps guests out',
    );
  }
  const file = await dom0().stat(backing).catch(notThere);
  if (file?.kind !== 'file') throw cannotFence('the file below its loop device is not there, or is no regular file');
  for (const [name, wanted] of [
    ['loop/offset', '0'],
    ['loop/sizelimit', '0'],
    ['loop/autoclear', '0'],
    ['ro', '0'],
    ['queue/logical_block_size', String(fileSectorBytes)],
  ] as const) {
    const is = await readSetting(folder, name);
    if (is !== wanted)
      throw cannotFence(`its loop device has ${basename(name)} ${String(is)}, where ${wanted} is needed`);
  }
  if ((await diskShapeOf(path)).sizeBytes !== file.sizeBytes - (file.sizeBytes % fileSectorBytes)) {
    throw cannotFence('its loop device has another size than the file below it');
  }
  const device = `/dev/${basename(await dom0().readlink(folder))}`;
  return { path: backing, loop: { device, directIo: (await readSetting(folder, 'loop/dio')) === '1' } };
}

/** Whether the loop device has the file now. After a reboot it may have none, or another one. */
export async function hasFile(device: string, file: string): Promise<boolean> {
  const wanted = await dom0().stat(file);
  const now = await fileBelow(device);
  return now !== null && now.dev === wanted.dev && now.ino === wanted.ino;
}

/**
 * Takes the file from its loop device, everything written to the device on disk before; the device need not have it. Nobody may
 * have the device open: else the kernel only notes the wish, and the file stays held. Throws `fence-failed`, `disk-io`.
 */
export async function detachLoop(device: string, file: string, env: Environment): Promise<void> {
  if (!(await hasFile(device, file))) return;
  await syncDevice(device);
  await losetup(['--detach', device], env);
}

/**
 * Gives the file to its loop device again. Returns whether it did not have it. Throws `disk-busy` when the device has another file
 * by now, `fence-failed`.
 */
export async function attachLoop({ device, directIo }: Loop, file: string, env: Environment): Promise<boolean> {
  if (await hasFile(device, file)) return false;
  if ((await fileBelow(device)) !== null) {
    throw new SealiftError('disk-busy', `${device} is needed for ${file} and has another file by now`, {
      hint: `losetup --detach ${device}, when nothing needs it`,
    });
  }
  await losetup([...(directIo ? ['--direct-io=on'] : []), device, file], env);
  return true;
}

/** What lies below a loop device; null when it has no file or is not there. A name that leads nowhere is a file too. */
async function fileBelow(device: string): Promise<{ dev: bigint; ino: bigint } | null> {
  const backing = await readSetting(`/sys/block/${basename(device)}`, 'loop/backing_file');
  if (backing === null) return null;
  return (await dom0().stat(backing).catch(notThere)) ?? { dev: -1n, ino: -1n };
}

async function readSetting(folder: string, name: string): Promise<string | null> {
  try {
    return (await dom0().readFile(`${folder}/${name}`)).toString('utf8').replace(/\n$/, '');
  } catch (error) {
    // A loop device without a file has no such folder; one that loses it while we look answers ENXIO.
    if (['ENOENT', 'ENXIO', 'ENODEV'].includes(errorCode(error))) return null;
    throw error;
  }
}

async function syncDevice(device: string): Promise<void> {
  const handle = await dom0().open(device, 'read');
  try {
    await syncWhole(handle, device);
  } finally {
    await handle.close();
  }
}

async function losetup(args: string[], env: Environment): Promise<void> {
  const { exitCode, stderr } = await dom0().run(['losetup', ...args], { limitMs: commandLimitMs, env });
  if (exitCode !== 0) {
    throw new SealiftError('fence-failed', `losetup ${args.join(' ')} failed: ${stderr.trim().slice(0, 200)}`);
  }
}

function cannotFence(why: string): SealiftError {
  return new SealiftError('fence-failed', `${why}, so it cannot be fenced`);
}
