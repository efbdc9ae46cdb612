import { dom0 } from '../dom0/dom0.ts';
import { SealiftError } from '../domain/error.ts';
import { holdersOf } from '../storage/holders.ts';
import { attachLoop, detachLoop, hasFile } from '../storage/loop.ts';
import type { Loop } from '../storage/loop.ts';
import type { DiskFence } from './disk-fence.ts';
import { heldOpen, notFenced } from './held.ts';
import { isLocked, lock, refusesWriters, statOf, unlock } from './locks.ts';
import type { Environment, FenceKind } from './locks.ts';
import type { DiskPlaces } from './places.ts';

/** The fence of a raw file, which a guest may have by a loop device. */
export class FileFence implements DiskFence {
  readonly #path: string;
  readonly #loop: Loop | undefined;

  constructor({ path, loop }: DiskPlaces) {
    this.#path = path;
    this.#loop = loop;
  }

  async check(): Promise<void> {
    if ((await statOf(this.#path)).kind === 'file') return;
    throw new SealiftError('fence-failed', `${this.#path} is not a regular file`);
  }

  async refuseUsed(): Promise<void> {
    const loop = this.#loop;
    // Linux from 5.x on fails a guest's writes to a file made immutable under it: look before
    if (loop === undefined || !(await hasFile(loop.device, this.#path))) {
      await this.refuseHeld();
      return;
    }
    const all = await holdersOf(this.#path);
    const others = all.filter(({ pid, command }) => pid !== 0 || `/dev/${command}` !== loop.device);
    const [holder] = [...others, ...(await holdersOf(loop.device))];
    if (holder !== undefined) throw heldOpen(`${this.#path}, by ${loop.device},`, holder);
  }

  async refuseHeld(): Promise<void> {
    const [holder] = await holdersOf(this.#path);
    if (holder !== undefined) throw heldOpen(this.#path, holder);
  }

  async detach(env: Environment): Promise<boolean> {
    if (this.#loop === undefined) return false;
    await detachLoop(this.#loop.device, this.#path, env);
    await this.refuseHeld();
    return true;
  }

  async lock(kind: FenceKind, env: Environment): Promise<void> {
    await lock(this.#path, kind, env);
  }

  async unlock({ mode, marked }: { mode: number | undefined; marked: boolean }, env: Environment): Promise<void> {
    if (mode !== undefined) await unlock(this.#path, mode, env);
    // a mark without a note is a landing's disk that was marked at its making and never locked, or nearly
    else if (marked) await unlock(this.#path, (await statOf(this.#path)).mode | 0o200, env);
  }

  async attach(env: Environment): Promise<boolean> {
    if (this.#loop === undefined) return false;
    await attachLoop(this.#loop, this.#path, env);
    return true;
  }

  async prove(kind: FenceKind): Promise<void> {
    if (!(await isLocked(this.#path, kind))) throw notFenced(`${this.#path} is not locked (${kind})`);
    const overrides = kind === 'permissions' && dom0().uid === 0;
    if (!overrides && !(await refusesWriters(this.#path))) throw notFenced(`${this.#path} can be opened for writing`);
  }
}
