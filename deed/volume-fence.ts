import { join } from 'node:path';
import { dom0 } from '../dom0/dom0.ts';
import { SealiftError } from '../domain/error.ts';
import { isThere } from '../storage/durable-file.ts';
import { holdersOf } from '../storage/holders.ts';
import { volumesOf } from '../storage/lvm.ts';
import type { LogicalVolume } from '../storage/lvm.ts';
import { activate, lockedName, openedByOthers, renameVolume, requireVolume, whyUnfit } from '../storage/volume.ts';
import type { Volume } from '../storage/volume.ts';
import type { DiskFence } from './disk-fence.ts';
import { heldOpen, notFenced } from './held.ts';
import type { Environment } from './locks.ts';
import type { DiskPlaces } from './places.ts';

/** The fence of a logical volume: a name that no configuration mentions. */
export class VolumeFence implements DiskFence {
  readonly #path: string;
  readonly #volume: Volume;

  constructor({ path, volume }: DiskPlaces & { volume: Volume }) {
    this.#path = path;
    this.#volume = volume;
  }

  async check(): Promise<void> {
    const why = whyUnfit(await this.#find());
    if (why !== null) throw new SealiftError('fence-failed', `${this.#path} cannot be fenced: ${why}`);
  }

  async refuseUsed(): Promise<void> {
    await this.refuseHeld();
  }

  async refuseHeld(): Promise<void> {
    await refuseOpen(this.#path, await requireVolume(this.#volume));
  }

  detach(): Promise<boolean> {
    return Promise.resolve(false);
  }

  async lock(_kind: unknown, env: Environment): Promise<void> {
    const found = await this.#find();
    // It is read under its new name, and a flush needs a device.
    await activate(found, env);
    if (found.name === lockedName(this.#volume)) return;
    await renameVolume({ ...found, active: true }, lockedName(this.#volume), env);
  }

  async unlock(_before: unknown, env: Environment): Promise<void> {
    const found = await this.#find();
    const { group, name } = this.#volume;
    await activate(found, env);
    if (found.name === name) return;
    if ((await volumesOf(group)).some((one) => one.name === name)) {
      throw new SealiftError(
        'unknown-state',
        `a volume ${group}/${name} was made while the one of that name was fenced`,
        {
          hint: `keep one of the two: rename ${group}/${name}, or leave ${group}/${found.name}`,
        },
      );
    }
    await renameVolume({ ...found, active: true }, name, env);
  }

  attach(): Promise<boolean> {
    return Promise.resolve(false);
  }

  async prove(): Promise<void> {
    const { group, name } = this.#volume;
    const volumes = await volumesOf(group);
    const locked = volumes.some((one) => one.uuid === this.#volume.uuid && one.name === lockedName(this.#volume));
    if (!locked) throw notFenced(`${this.#path} has its name`);
    if (volumes.some((one) => one.name === name)) throw notFenced(`another volume has the name ${group}/${name}`);
    for (const path of [this.#path, join('/dev/mapper', dmName(group, name))]) {
      if (await isThere(dom0(), path)) throw notFenced(`${path} leads somewhere`);
    }
  }

  /** Throws 'unknown-state' when somebody has given it a name of his own. */
  async #find(): Promise<LogicalVolume> {
    const found = await requireVolume(this.#volume);
    if ([this.#volume.name, lockedName(this.#volume)].includes(found.name)) return found;
    const { group, name } = this.#volume;
    throw new SealiftError('unknown-state', `the volume ${group}/${name} was renamed to ${found.name}`, {
      hint: `lvrename ${group} ${found.name} ${name}`,
    });
  }
}

async function refuseOpen(path: string, found: LogicalVolume): Promise<void> {
  if (!found.active) return;
  const [holder] = await holdersOf(found.path);
  if (holder !== undefined) throw heldOpen(path, holder);
  if ((await openedByOthers(found)) > 0) throw heldOpen(path, { pid: 0, command: 'the kernel: a guest, perhaps' });
}

/** The name that device mapper has for a volume: a hyphen within is written twice. */
function dmName(group: string, name: string): string {
  return [group, name].map((part) => part.replaceAll('-', '--')).join('-');
}
