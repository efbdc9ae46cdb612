import { dom0 } from '../dom0/dom0.ts';
import { SealiftError } from '../domain/error.ts';
import { isThere } from '../storage/durable-file.ts';
import type { ReachedLun } from '../storage/lun.ts';
import { readMark, removeMark, writeMark } from '../storage/mark.ts';
import type { Mark } from '../storage/mark.ts';
import { dropOriginals, keepOriginals, moveAside, moveBack, readOriginals, startersOf } from './aside.ts';
import { fenceOf } from './disk-fence.ts';
import { notFenced } from './held.ts';
import { fenceLun, proveLunFenced, refuseUsedLun, takeLun } from './lun-fence.ts';
import type { Environment, FenceKind } from './locks.ts';
import type { DiskPlaces, FencePlaces } from './places.ts';

export { fenceKind, fenceKindIn } from './locks.ts';
export type { FenceKind } from './locks.ts';
export type { FencePlaces } from './places.ts';

export interface FenceOptions {
  /** Called after each step with its name; a test ends the process in it. */
  onStep?: (step: string) => void;
  /** Variables for the programs that are run, so that orphans of theirs are found; see orphans.ts. */
  env?: Environment;
  /** The VM's domain is there, suspended, and has its LUNs open. */
  suspended?: boolean;
  /** The right came by an operator's claim, so LUNs are taken from a host that has them by an earlier token. */
  claimed?: boolean;
}

/**
 * Keeps anything on this host from starting the VM or writing its disks, through reboots: originals noted, each disk taken from its
 * loop device, marked and locked, each LUN reserved for nobody, then configuration, saved image and autostart moved aside. Each step is durable before the next begins; cut short
 * anywhere, the next call goes on.
 *
 * The record must allow it first (`Deeds.mayFence`), and the domain must be gone, or `suspended`. Throws 'disk-busy' when somebody holds a disk
 * open, 'disk-missing', 'fence-failed', 'unknown-state' when a disk or the aside folder carries another VM's or a later mark.
 */
export async function fence(
  places: FencePlaces,
  mark: Mark,
  kind: FenceKind,
  { onStep = nothing, env = {}, suspended = false }: FenceOptions = {},
): Promise<void> {
  for (const disk of places.disks) {
    await fenceOf(disk).check();
    await fenceOf(disk).refuseUsed();
  }
  if (!suspended) for (const { lun } of places.luns) await refuseUsedLun(lun);
  await keepOriginals(places, mark.lineage);
  onStep('originals noted');
  for (const disk of places.disks) {
    const own = fenceOf(disk);
    if (await own.detach(env)) onStep(`${disk.vdev} detached`);
    await writeMark(disk, mark, env);
    onStep(`${disk.vdev} marked`);
    await own.lock(kind, env);
    onStep(`${disk.vdev} locked`);
  }
  for (const { vdev, lun } of places.luns) {
    // A landing's is its source's to give up.
    if (mark.role === 'landing') await proveLunFenced(lun, mark, { forNobody: true });
    else await fenceLun(lun, mark, env);
    onStep(`${vdev} reserved for nobody`);
  }
  for (const { path, aside } of startersOf(places)) {
    await moveAside(path, aside);
    onStep(`${path} moved aside`);
  }
}

/**
 * Takes a fence off in the opposite order of trust: disks unlocked and given to their loop devices, configuration and saved image put back, autostart last,
 * then the marks, then the notes. Repeatable like `fence`. The record must allow it first (`Deeds.mayUnfence`). Gives where the LUNs are.
 *
 * `mark` is the record's present one. Throws 'unknown-state' when a disk carries another VM's mark or a later one, or when a
 * configuration was made where the fenced one has to go back.
 */
export async function unfence(
  places: FencePlaces,
  mark: Mark,
  { onStep = nothing, env = {}, claimed = false }: FenceOptions = {},
): Promise<ReachedLun[]> {
  const marked = new Map<DiskPlaces, boolean>();
  for (const disk of places.disks) {
    await fenceOf(disk).check();
    marked.set(disk, await hasOwnMark(disk, mark));
  }
  const originals = await readOriginals(places.asideFolder, mark.lineage);
  for (const disk of places.disks) {
    const mode = originals?.disks.find(({ path }) => path === disk.path)?.mode;
    await fenceOf(disk).unlock({ mode, marked: marked.get(disk) === true }, env);
    onStep(`${disk.vdev} unlocked`);
    if (await fenceOf(disk).attach(env)) onStep(`${disk.vdev} attached`);
  }
  const taken: ReachedLun[] = [];
  for (const { vdev, lun } of places.luns) {
    taken.push(await takeLun(lun, mark, { env, claimed }));
    onStep(`${vdev} reserved for this host`);
  }
  for (const { path, aside } of startersOf(places)) {
    await moveBack(path, aside);
    onStep(`${path} put back`);
  }
  for (const disk of places.disks) {
    await removeMark(disk, env);
    onStep(`${disk.vdev} unmarked`);
  }
  await dropOriginals(places);
  onStep('originals dropped');
  return taken;
}

/**
 * Proves a fence right now: every disk locked, opening it for writing refused, marked as `mark` says and held by nobody, nothing
 * there that would start the VM. Throws 'fence-failed' with the first thing that is not so, 'disk-busy', 'disk-missing'.
 */
export async function proveFenced(places: FencePlaces, mark: Mark, kind: FenceKind): Promise<void> {
  for (const disk of places.disks) {
    const own = fenceOf(disk);
    await own.check();
    await own.prove(kind);
    await own.refuseHeld();
    const found = await readMark(disk);
    if (found?.lineage !== mark.lineage || found.token !== mark.token || found.role !== mark.role) {
      throw notFenced(`the mark of ${disk.path} is ${describe(found)}, needed ${describe(mark)}`);
    }
  }
  for (const { lun } of places.luns) await proveLunFenced(lun, mark);
  for (const { path } of startersOf(places)) {
    if (await isThere(dom0(), path)) throw notFenced(`${path} is there and may start the VM`);
  }
}

/** Marks a landing's new disks, from their making on; READY's `fence` locks them. docs/deed.md tells why that is enough. */
export async function markLanding(places: FencePlaces, mark: Mark): Promise<void> {
  for (const disk of places.disks) await writeMark(disk, mark);
}

async function hasOwnMark(disk: DiskPlaces, mark: Mark): Promise<boolean> {
  const found = await readMark(disk);
  if (found === null) return false;
  if (found.lineage === mark.lineage && found.token <= mark.token) return true;
  throw new SealiftError(
    'unknown-state',
    `the mark of ${disk.path} is ${describe(found)}, not for ${describe(mark)} to remove`,
  );
}

function describe(mark: Mark | null): string {
  return mark === null ? 'none' : `${mark.role} of lineage ${mark.lineage}, token ${String(mark.token)}`;
}

function nothing(): void {
  // nobody watches the steps
}
