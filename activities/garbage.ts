import { rm, rmdir, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { unlock } from '../deed/locks.ts';
import type { DeedRun } from '../deed/record.ts';
import { SealiftError } from '../domain/error.ts';
import { isThere } from '../storage/durable-file.ts';
import { markPath } from '../storage/mark.ts';
import { removeLandingRun } from '../transport/landing-store.ts';
import { runName } from './authorize.ts';
import { containerPaths } from './container-files.ts';
import type { Host } from './host.ts';
import { findNotes } from './notes.ts';
import type { GarbageItem } from './port.ts';

/** What may be removed: released copies, landings that came to nothing, containers that have done their work. */
export async function listGarbage(host: Host): Promise<GarbageItem[]> {
  const items: GarbageItem[] = [];
  for (const run of host.deeds.runs()) {
    const vmName = host.deeds.byLineage(run.lineage)?.vmName ?? run.lineage;
    const disks = run.collected ? [] : pathsOf(host, run);
    const kind = run.role === 'source' ? 'released-copy' : 'abandoned-landing';
    if (disks.length > 0 && isGarbage(run)) {
      items.push({ id: run.migrationId, kind, vmName, bytes: await bytesOf(disks), note: noteOf(run) });
    }
    const containers = run.state === 'open' ? [] : containerPaths(host, run);
    const bytes = await bytesOf(containers);
    if (bytes > 0)
      items.push({
        id: `${run.migrationId}/container`,
        kind: 'container',
        vmName,
        bytes,
        note: `its run is ${run.state}`,
      });
  }
  return items;
}

/** Removes what is named, each item logged before it goes. Throws `deed-refused` for a copy that may still be needed. */
export async function removeGarbage(
  host: Host,
  ask: { ids: string[]; by: string },
): Promise<{ removed: GarbageItem[] }> {
  const all = await listGarbage(host);
  const removed: GarbageItem[] = [];
  for (const id of ask.ids) {
    const item = all.find((one) => one.id === id);
    if (item === undefined) throw new SealiftError('bad-usage', `${host.file.name} has no garbage named ${id}`);
    const [migrationId = id] = id.split('/');
    const { run } = host.deeds.byMigration(migrationId);
    if (item.kind === 'container') {
      host.deeds.log({
        who: ask.by,
        what: 'collect',
        lineage: run.lineage,
        detail: `container of migration ${migrationId}`,
      });
      for (const path of containerPaths(host, run)) await rm(path, { force: true });
    } else {
      host.deeds.mayCollect(migrationId, { by: ask.by });
      await removeCopy(host, run);
    }
    removed.push(item);
  }
  return { removed };
}

async function removeCopy(host: Host, run: DeedRun): Promise<void> {
  for (const path of pathsOf(host, run)) {
    if (await isThere(path)) {
      await unlock(path, 0o600, {});
      await unlink(path);
    }
    await rm(markPath(path), { force: true });
    // Only folders of our own making are empty then.
    if (run.role === 'destination') await rmdir(dirname(path)).catch(() => undefined);
  }
  if (run.places !== null) await rm(run.places.asideFolder, { recursive: true, force: true });
  if (run.role === 'destination') {
    host.landed.forget(runName(run));
    removeLandingRun(host.state.database, runName(run));
  } else {
    host.own.forget(runName(run));
  }
}

function isGarbage(run: DeedRun): boolean {
  if (run.role === 'source') return run.state === 'ceded' && run.released;
  return run.state === 'aborted' || run.state === 'returned';
}

function noteOf(run: DeedRun): string {
  if (run.role === 'source') return `ceded with token ${String(run.token)}, its hold has ended`;
  return run.state === 'returned'
    ? 'what the VM wrote here before it was reverted'
    : `landing of token ${String(run.token)}, given up`;
}

/** A ceded copy's disks are its fence's; a landing's are in its notes, until a later run takes them over. */
function pathsOf(host: Host, run: DeedRun): string[] {
  if (run.role === 'source') return run.places?.disks.map((disk) => disk.path) ?? [];
  return findNotes(host.deeds, run.migrationId)?.disks.map((disk) => disk.path) ?? [];
}

async function bytesOf(paths: string[]): Promise<number> {
  const sizes = await Promise.all(
    paths.map((path) =>
      stat(path).then(
        (found) => found.blocks * 512,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
