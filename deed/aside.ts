import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { dom0 } from '../dom0/dom0.ts';
import { errorCode } from '../dom0/system-errors.ts';
import { SealiftError } from '../domain/error.ts';
import { parseJson } from '../domain/json.ts';
import { lineage } from '../domain/names.ts';
import { isThere, syncFolder, writeFileDurably } from '../storage/durable-file.ts';
import type { FencePlaces } from './places.ts';

const originals = z.strictObject({
  v: z.literal(1),
  lineage,
  /** The permission bits of each disk before the fence. */
  disks: z.array(z.strictObject({ path: z.string(), mode: z.int().min(0).max(0o7777) })),
});
/** What a fence must know to be taken off again; lies as `fence.json` in the aside folder from before its first change to after its last. */
export type Originals = z.infer<typeof originals>;

const fileName = 'fence.json';

/**
 * Makes the aside folder (0700) and notes the disks' permission bits in it; what was noted earlier stays, since a fence cut
 * short by a crash has changed them already. Throws 'unknown-state' when the folder belongs to another VM.
 */
export async function keepOriginals(places: FencePlaces, ofLineage: string): Promise<void> {
  await dom0().mkdir(places.asideFolder, { recursive: true, mode: 0o700 });
  await syncFolder(dom0(), dirname(places.asideFolder));
  const kept = await readOriginals(places.asideFolder, ofLineage);
  const disks = [...(kept?.disks ?? [])];
  for (const { path, volume } of places.disks) {
    // a volume has other locks than permission bits
    if (volume !== undefined) continue;
    if (disks.some((disk) => disk.path === path)) continue;
    disks.push({ path, mode: (await dom0().lstat(path)).mode });
  }
  if (kept?.disks.length === disks.length) return;
  const text = JSON.stringify({ v: 1, lineage: ofLineage, disks } satisfies Originals);
  await writeFileDurably(dom0(), join(places.asideFolder, fileName), `${text}\n`, 0o600);
}

/** What `keepOriginals` noted; null when it did not, or the unfence is over. */
export async function readOriginals(folder: string, ofLineage: string): Promise<Originals | null> {
  const path = join(folder, fileName);
  let text: string;
  try {
    text = (await dom0().readFile(path)).toString('utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null;
    throw error;
  }
  const parsed = originals.safeParse(parseJson(text));
  if (!parsed.success) throw new SealiftError('unknown-state', `${path} does not parse`);
  if (parsed.data.lineage !== ofLineage) {
    throw new SealiftError('unknown-state', `${path} is of lineage ${parsed.data.lineage}, not of ${ofLineage}`);
  }
  return parsed.data;
}

/** Forgets what was noted, and removes the folders unless something else lies in them. */
export async function dropOriginals(places: FencePlaces): Promise<void> {
  for (const folder of asideFoldersOf(places)) {
    if (!(await isThere(dom0(), folder))) continue;
    await dom0().remove(join(folder, fileName));
    await syncFolder(dom0(), folder);
    try {
      await dom0().rmdir(folder);
    } catch (error) {
      if (!['ENOTEMPTY', 'EEXIST'].includes(errorCode(error))) throw error;
      continue;
    }
    await syncFolder(dom0(), dirname(folder));
  }
}

/** The folders that a fence moves files to. */
export function asideFoldersOf({ asideFolder, savedImagePath }: FencePlaces): string[] {
  return savedImagePath === null ? [asideFolder] : [asideFolder, imageFolder(asideFolder, savedImagePath)];
}

/** As large as the VM's memory, and often on another file system than Xen's configuration: it stays on its own. xendomains passes by what begins with a dot. */
function imageFolder(asideFolder: string, savedImagePath: string): string {
  return join(dirname(savedImagePath), `.sealift.${basename(asideFolder)}`);
}

/** The files that would start the VM, with the names that they have aside. Autostart comes last, so that it comes back last. */
export function startersOf(places: FencePlaces): { path: string; aside: string }[] {
  const { asideFolder, configPath, savedImagePath, autostartPath } = places;
  return [
    ...(configPath === null ? [] : [{ path: configPath, aside: join(asideFolder, 'config') }]),
    ...(savedImagePath === null
      ? []
      : [{ path: savedImagePath, aside: join(imageFolder(asideFolder, savedImagePath), 'saved') }]),
    ...(autostartPath === null ? [] : [{ path: autostartPath, aside: join(asideFolder, 'autostart') }]),
  ];
}

/**
 * Moves a file (or a link, as it is) out of the way, durably; it need not be there. One that was put there while its
 * namesake lies aside already goes beside that one: nothing is lost, and the first is what comes back.
 */
export async function moveAside(path: string, aside: string): Promise<void> {
  if (!(await isThere(dom0(), path))) return;
  await dom0().mkdir(dirname(aside), { recursive: true, mode: 0o700 });
  await syncFolder(dom0(), dirname(dirname(aside)));
  let free = aside;
  for (let again = 1; await isThere(dom0(), free); again += 1) free = `${aside}.${String(again)}`;
  await moveDurably(path, free);
}

/** Moves a file back. Throws 'unknown-state' when its place was taken meanwhile: a person has to choose. */
export async function moveBack(path: string, aside: string): Promise<void> {
  if (!(await isThere(dom0(), aside))) return;
  if (await isThere(dom0(), path)) {
    throw new SealiftError('unknown-state', `${path} was made while its original lay fenced at ${aside}`, {
      hint: `keep one of the two: move ${path} away, or ${aside}`,
    });
  }
  await moveDurably(aside, path);
}

async function moveDurably(from: string, to: string): Promise<void> {
  try {
    await dom0().rename(from, to);
  } catch (error) {
    if (errorCode(error) !== 'EXDEV') throw error;
    throw new SealiftError('fence-failed', `${from} and ${to} are on two file systems`, { cause: error });
  }
  await syncFolder(dom0(), dirname(to));
  await syncFolder(dom0(), dirname(from));
}
