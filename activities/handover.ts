import { SealiftError } from '../domain/error.ts';
import type { Manifest, SharedShape } from '../domain/manifest.ts';
import type { TransferProgress } from '../domain/progress.ts';
import type { Deed, Ready, Signed } from '../domain/statement.ts';
import { fence } from '../deed/fence.ts';
import { markOf } from '../deed/marks.ts';
import type { DeedRun } from '../deed/record.ts';
import { decodeManifest, manifestRoot } from '../seal/manifest.ts';
import type { WholeManifest } from '../seal/manifest.ts';
import { openDisk } from '../storage/disk.ts';
import { placeNow } from '../storage/volume.ts';
import type { Place } from '../storage/volume.ts';
import { isSavedImage } from '../xen/saved-image.ts';
import { writeXlConfig } from '../xen/xl-config/write.ts';
import { runName } from './folders.ts';
import { dropArrivals, requireArrival } from './arrival.ts';
import { leaveForGood } from './departure.ts';
import { beating } from './edge.ts';
import { proveQuiet, proveWaiting } from './fencing.ts';
import type { Host } from './host.ts';
import { disksOf, requireLanding } from './landing-disks.ts';
import { sharedShapeOf } from './luns.ts';
import { guestDisks, imageOf, stampsOf } from './memory-image.ts';
import { readNotes, updateNotes } from './notes.ts';
import type { RunNotes } from './notes.ts';
import { dropRunSecret } from './run-keys.ts';
import { translated } from './translation.ts';
import { lowerInTurn } from './tunnel.ts';
import { inTurn } from './vm-turn.ts';

/**
 * Destination: reads back from the devices what was not read back yet, refuses further frames, compares every chunk with the
 * manifest, translates the configuration, fences the landing's disks and signs READY. Tells how many chunks (or the manifest)
 * are missing instead, when the source has to send again. Throws `preflight-refused` for a configuration that this host must
 * not run, `manifest-mismatch` for a manifest of something else.
 */
export async function makeReady(
  host: Host,
  migrationId: string,
  signal: AbortSignal,
): Promise<{ ready: Signed<Ready> } | { missingChunks: number }> {
  const { record } = host.deeds.byMigration(migrationId);
  let progress: TransferProgress | null = null;
  // In turn from its start: an attempt that was lost may still be reading, and would close the disks under this one.
  const work = inTurn(host, record.lineage, async () => {
    signal.throwIfAborted();
    return readyInTurn(host, migrationId, signal, (now) => (progress = now));
  });
  return beating(work, () => progress);
}

/** Source: the point of no return. Gives up a guest that waits there, suspended; proves fence and quiet once more; roots are compared by the record itself. */
export async function cede(
  host: Host,
  ask: { migrationId: string; ready: Signed<Ready> },
): Promise<{ deed: Signed<Deed>; root: string }> {
  const { record, run } = host.deeds.byMigration(ask.migrationId);
  const { root } = ask.ready.body;
  if (run.state === 'ceded') return { deed: host.deeds.cede(ask.migrationId, ask.ready), root };
  return inTurn(host, record.lineage, async () => {
    host.deeds.checkCede(ask.migrationId, ask.ready);
    if (readNotes(host.deeds, ask.migrationId).departure !== null) {
      await proveWaiting(host, record);
      await leaveForGood(host, ask.migrationId);
    }
    await proveQuiet(host, record);
    const deed = host.deeds.cede(ask.migrationId, ask.ready);
    await host.jobs.stop(ask.migrationId);
    return { deed, root };
  });
}

/** Destination: takes the right over. Throws `bad-statement` for the deed of another migration. */
export async function acceptDeed(host: Host, ask: { migrationId: string; deed: Signed<Deed> }): Promise<void> {
  const { run } = host.deeds.byMigration(ask.migrationId);
  const { lineage, token } = ask.deed.body;
  if (lineage !== run.lineage || token !== run.token) {
    throw new SealiftError(
      'bad-statement',
      `the deed of token ${String(token)} is not that of migration ${ask.migrationId}, which has token ${String(run.token)}`,
    );
  }
  await takeOver(host, ask.deed);
}

/** Takes the right over by a deed that the caller knows to be meant. The run's key has done its work. */
export async function takeOver(host: Host, deed: Signed<Deed>): Promise<DeedRun> {
  const { run } = host.deeds.accept(deed);
  await dropRunSecret(host, run);
  return run;
}

async function readyInTurn(
  host: Host,
  migrationId: string,
  signal: AbortSignal,
  onProgress: (progress: TransferProgress) => void,
): ReturnType<typeof makeReady> {
  const { record, run } = host.deeds.byMigration(migrationId);
  if (run.root !== null) return { ready: host.deeds.ready(migrationId, run.root) };
  await lowerInTurn(host, migrationId);
  const notes = readNotes(host.deeds, migrationId);
  await requireLanding(run.lineage, disksOf(notes));
  const name = runName(run);
  const place = { run: name, disks: disksOf(notes) };
  const readBack = async (): Promise<number> => (await host.landing.readBack(place, onProgress, signal)).missing.length;
  let missing = await readBack();
  const bytes = host.landing.manifest(name);
  if (missing > 0 || bytes === null) return { missingChunks: Math.max(1, missing) };
  await host.landing.drain(name);
  missing = await readBack();
  const whole = decodeManifest(bytes);
  refuseOther(whole.manifest, run, record.vmUuid, notes);
  missing += dropStrays(host, name, whole);
  const { memory } = whole.manifest;
  if (memory === undefined) await dropArrivals(host, record);
  else await requireArrival(host, migrationId, whole.manifest);
  if (missing > 0) {
    host.landed.reopen(name);
    return { missingChunks: missing };
  }
  const defined = await translate(host, whole.manifest, notes);
  const digests = [];
  for (const [index, disk] of notes.disks.entries()) {
    digests.push({ digest: whole.manifest.disks[index]?.digest ?? '', direct: await readsDirectly(disk) });
  }
  await host.landing.forget(name);
  updateNotes(host.deeds, migrationId, { ...defined, autostart: whole.manifest.autostart, digests });
  const { places } = run;
  if (places === null) throw new SealiftError('unknown-state', `no places of migration ${migrationId} are kept`);
  await fence(places, markOf(record, 'landing'), host.file.fence, { suspended: memory !== undefined });
  await noteLanded(host, migrationId);
  return { ready: host.deeds.ready(migrationId, manifestRoot(whole.manifest)) };
}

/** From here on the image of memory, if it is one, counts with the disks as they are; one of zeros says that there is no memory. */
async function noteLanded(host: Host, migrationId: string): Promise<void> {
  const notes = readNotes(host.deeds, migrationId);
  const image = imageOf(notes);
  if (image === undefined) return;
  const woken = (await isSavedImage(image.path)) ? null : { domid: null, kept: false };
  updateNotes(host.deeds, migrationId, { memory: { stamps: await stampsOf(notes), failures: 0, woken } });
}

/** Takes chunks whose digest is not the manifest's out of the journal; returns how many. */
function dropStrays(host: Host, name: string, whole: WholeManifest): number {
  let strays = 0;
  for (const [disk, digests] of whole.digests.entries()) {
    const wrong: { disk: number; index: number }[] = [];
    for (const { index, digest } of host.landed.held(name, disk)) {
      if (!digest.equals(digests.subarray(index * digest.length, (index + 1) * digest.length)))
        wrong.push({ disk, index });
    }
    if (wrong.length > 0) host.landed.drop(name, wrong);
    strays += wrong.length;
  }
  return strays;
}

function refuseOther(manifest: Manifest, run: DeedRun, vmUuid: string, notes: RunNotes): void {
  const shapes = (disks: { vdev: string; sizeBytes: number }[]): string =>
    disks.map(({ vdev, sizeBytes }) => `${vdev} ${String(sizeBytes)}`).join(', ');
  const luns = (disks: SharedShape[]): string =>
    disks.map(({ vdev, sizeBytes, lun }) => `${vdev} ${String(sizeBytes)} ${lun}`).join(', ');
  for (const [what, is, needed] of [
    ['lineage', manifest.lineage, run.lineage],
    ['token', manifest.token, run.token],
    ['uuid', manifest.vmUuid, vmUuid],
    ['disks', shapes(manifest.disks), shapes(notes.disks)],
    ['LUNs', luns(manifest.shared ?? []), luns(notes.luns.map(sharedShapeOf))],
  ] as const) {
    if (is !== needed)
      throw new SealiftError(
        'manifest-mismatch',
        `the manifest's ${what} is ${String(is)}, expected ${String(needed)}`,
      );
  }
}

async function translate(
  host: Host,
  manifest: Manifest,
  notes: RunNotes,
): Promise<{ config: string; changes: string[] }> {
  const disks = [...guestDisks(notes.disks), ...notes.luns];
  const { config, changes } = await translated(host.file, { ...manifest, disks });
  return { config: writeXlConfig(config), changes };
}

async function readsDirectly(disk: Place): Promise<boolean> {
  const opened = await openDisk(await placeNow(disk), 'read');
  await opened.close();
  return opened.direct;
}
