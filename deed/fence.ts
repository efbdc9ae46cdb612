import { SealiftError } from '../domain/error.ts';
import { isThere } from '../storage/durable-file.ts';
import { holdersOf } from '../storage/holders.ts';
import { attachLoop, detachLoop, hasFile } from '../storage/loop.ts';
import type { Loop } from '../storage/loop.ts';
import { readMark, removeMark, writeMark } from '../storage/mark.ts';
import type { Mark } from '../storage/mark.ts';
import { dropOriginals, keepOriginals, moveAside, moveBack, readOriginals, startersOf } from './aside.ts';
import { isLocked, lock, refusesWriters, statOf, unlock } from './locks.ts';
import type { Environment, FenceKind } from './locks.ts';
import type { FencePlaces } from './places.ts';

export { fenceKind } from './locks.ts';
export type { FenceKind } from './locks.ts';
export type { FencePlaces } from './places.ts';

export interface FenceOptions {
  /** Called after each step with its name; a test ends the process in it. */
  onStep?: (step: string) => void;
  /** Variables for the programs that are run, so that orphans of theirs are found; see orphans.ts. */
  env?: Environment;
}

/**
 * Keeps anything on this host from starting the VM or writing its disks, through reboots: originals noted, each disk taken from its
 * loop device, marked and locked, then configuration, saved image and autostart moved aside. Each step is durable before the next begins; cut short
 * anywhere, the next call goes on.
 *
 * The record must allow it first (`Deeds.mayFence`), and the domain must be gone. Throws 'disk-busy' when somebody holds a disk
 * open, 'disk-missing', 'fence-failed', 'unknown-state' when a disk or the aside folder carries another VM's or a later mark.
 */
export async function fence(
  places: FencePlaces,
  mark: Mark,
  kind: FenceKind,
  { onStep = nothing, env = {} }: FenceOptions = {},
): Promise<void> {
  for (const { path, loop } of places.disks) {
    await refuseStrange(path);
    // Linux from 5.x on fails a guest's writes to a file made immutable under it: look before
    if (loop === undefined || !(await hasFile(loop.device, path))) await refuseHeld(path);
    else await refuseHeldByLoop(path, loop);
  }
  await keepOriginals(places, mark.lineage);
  onStep('originals noted');
  for (const { vdev, path, loop } of places.disks) {
    if (loop !== undefined) {
      await detachLoop(loop.device, path, env);
      await refuseHeld(path);
      onStep(`${vdev} detached`);
    }
    await writeMark(path, mark);
    onStep(`${vdev} marked`);
    await lock(path, kind, env);
    onStep(`${vdev} locked`);
  }
  for (const { path, aside } of startersOf(places)) {
    await moveAside(path, aside);
    onStep(`${path} moved aside`);
  }
}

/**
 * Takes a fence off in the opposite order of trust: disks unlocked and given to their loop devices, configuration and saved image put back, autostart last,
 * then the marks, then the notes. Repeatable like `fence`. The record must allow it first (`Deeds.mayUnfence`).
 *
 * `mark` is the record's present one. Throws 'unknown-state' when a disk carries another VM's mark or a later one, or when a
 * configuration was made where the fenced one has to go back.
 */
export async function unfence(
  places: FencePlaces,
  mark: Mark,
  { onStep = nothing, env = {} }: FenceOptions = {},
): Promise<void> {
  const marked = new Map<string, boolean>();
  for (const { path } of places.disks) {
    await refuseStrange(path);
    marked.set(path, await hasOwnMark(path, mark));
  }
  const originals = await readOriginals(places.asideFolder, mark.lineage);
  for (const { vdev, path, loop } of places.disks) {
    const mode = originals?.disks.find((disk) => disk.path === path)?.mode;
    if (mode !== undefined) await unlock(path, mode, env);
    // a mark without a note is a landing's disk that was marked at its making and never locked, or nearly
    else if (marked.get(path) === true) await unlock(path, ((await statOf(path)).mode & 0o7777) | 0o200, env);
    onStep(`${vdev} unlocked`);
    if (loop !== undefined) {
      await attachLoop(loop, path, env);
      onStep(`${vdev} attached`);
    }
  }
  for (const { path, aside } of startersOf(places)) {
    await moveBack(path, aside);
    onStep(`${path} put back`);
  }
  for (const { vdev, path } of places.disks) {
    await removeMark(path);
    onStep(`${vdev} unmarked`);
  }
  await dropOriginals(places);
  onStep('originals dropped');
}

/**
 * Proves a fence right now: every disk locked, opening it for writing refused, marked as `mark` says and held by nobody, nothing
 * there that would start the VM. Throws 'fence-failed' with the first thing that is not so, 'disk-busy', 'disk-missing'.
 */
export async function proveFenced(places: FencePlaces, mark: Mark, kind: FenceKind): Promise<void> {
  for (const { path } of places.disks) {
    await refuseStrange(path);
    if (!(await isLocked(path, kind))) throw notFenced(`${path} is not locked (${kind})`);
    const overrides = kind === 'permissions' && process.geteuid?.() === 0;
    if (!overrides && !(await refusesWriters(path))) throw notFenced(`${path} can be opened for writing`);
    await refuseHeld(path);
    const found = await readMark(path);
    if (found?.lineage !== mark.lineage || found.token !== mark.token || found.role !== mark.role) {
      throw notFenced(`the mark of ${path} is ${describe(found)}, needed ${describe(mark)}`);
    }
  }
  for (const { path } of startersOf(places)) {
    if (await isThere(path)) throw notFenced(`${path} is there and may start the VM`);
  }
}

/** Marks a landing's new disks, from their making on; READY's `fence` locks them. docs/deed.md tells why that is enough. */
export async function markLanding(places: FencePlaces, mark: Mark): Promise<void> {
  for (const { path } of places.disks) await writeMark(path, mark);
}

async function refuseStrange(path: string): Promise<void> {
  if ((await statOf(path)).isFile()) return;
  throw new SealiftError('fence-failed', `${path} is not a regular file, which is all that can be fenced`);
}

/** Throws 'disk-busy' while anything has the disk open, 'disk-missing'. */
export async function refuseHeld(path: string): Promise<void> {
  const [holder] = await holdersOf(path);
  if (holder === undefined) return;
  throw heldOpen(path, holder);
}

/** The process is named in the cause only: which programs run on a host is for its own log. */
function heldOpen(what: string, { command, pid }: { command: string; pid: number }): SealiftError {
  return new SealiftError('disk-busy', `${what} is held open by another process`, {
    hint: "the log of the host's worker names it",
    cause: new Error(`held open by ${command} (pid ${String(pid)})`),
  });
}

/** The same for a file below a loop device, which itself is going to be detached. */
async function refuseHeldByLoop(path: string, { device }: Loop): Promise<void> {
  const below = (await holdersOf(path)).filter(({ pid, command }) => pid !== 0 || `/dev/${command}` !== device);
  const [holder] = [...below, ...(await holdersOf(device))];
  if (holder === undefined) return;
  throw heldOpen(`${path}, by ${device},`, holder);
}

async function hasOwnMark(path: string, mark: Mark): Promise<boolean> {
  const found = await readMark(path);
  if (found === null) return false;
  if (found.lineage === mark.lineage && found.token <= mark.token) return true;
  throw new SealiftError(
    'unknown-state',
    `the mark of ${path} is ${describe(found)}, not for ${describe(mark)} to remove`,
  );
}

function notFenced(what: string): SealiftError {
  return new SealiftError('fence-failed', `not fenced: ${what}`);
}

function describe(mark: Mark | null): string {
  return mark === null ? 'none' : `${mark.role} of lineage ${mark.lineage}, token ${String(mark.token)}`;
}

function nothing(): void {
  // nobody watches the steps
}
