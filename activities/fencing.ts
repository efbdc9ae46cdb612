import { join } from 'node:path';
import { succeeds } from '../dom0/system-errors.ts';
import { SealiftError } from '../domain/error.ts';
import { fence, proveFenced } from '../deed/fence.ts';
import { fenceMark } from '../deed/marks.ts';
import { lunPlace, lying } from '../deed/places.ts';
import type { FencePlaces } from '../deed/places.ts';
import type { DeedRecord } from '../deed/record.ts';
import { diskShapeOf } from '../storage/disk.ts';
import { placeNow } from '../storage/volume.ts';
import { readSavedImages } from '../xen/at-rest.ts';
import { joinVms } from '../xen/dom0.ts';
import type { FoundVm } from '../xen/dom0.ts';
import { domainGone, domainsOf, onlyDomain } from '../xen/gone.ts';
import { isHanded, noteDeparture } from './departure.ts';
import { asideRoot, copyName, runName } from './folders.ts';
import type { Host } from './host.ts';
import { noteGiven } from './held-luns.ts';
import { guestDisks, isOfOneMoment } from './memory-image.ts';
import { readNotes } from './notes.ts';
import type { RunNotes } from './notes.ts';
import { settleImage } from './save.ts';
import { refuseChanged, vmOfRun } from './unchanged.ts';
import { ending, inTurn } from './vm-turn.ts';

/**
 * Puts the fence on the run's copy at this host, the source's or, on its way back, the destination's: storage refuses writers,
 * configuration, autostart and saved image are moved aside, and all of it is proven. Survives a reboot. Done again, it
 * proves again. Throws `vm-running` while a domain is there, `disk-busy` while another process has a disk, `vm-changed` when the source's is not
 * what its run was opened with, `disk-changed` when a disk changed its size while the fence was put on, `fence-failed`.
 */
export async function fenceVm(host: Host, migrationId: string): Promise<void> {
  const { record, run } = host.deeds.byMigration(migrationId);
  if (run.state === 'ceded' || run.state === 'returned') return;
  await inTurn(host, record.lineage, async () => {
    const handed = await handedGuest(host, migrationId, record);
    // Its domain is gone, or waits: the files tell the rest.
    const vms = await joinVms(host.dom0, []);
    await refuseChanged(host, migrationId, vms);
    const intact = await isIntact(host, record);
    const { intent, places } = host.deeds.mayFence(migrationId, foundPlaces(host, migrationId, record, vms), intact);
    await ending(host, intent, async (env) => {
      // No transfer begins any more: what was under way is stopped, and nothing of it counts.
      if (!intact && run.role === 'source') {
        await forgetReads(host, migrationId, runName(run));
        await settleImage(host, migrationId);
        // Its memory counts only where it waited while its disks were fenced.
        if (handed === null) noteDeparture(host, migrationId, null);
      }
      noteGiven(host, places.luns);
      await fence(places, fenceMark(record), host.file.fence, { env, suspended: handed !== null });
      await proveFenced(places, fenceMark(record), host.file.fence);
      const still = await handedGuest(host, migrationId, record);
      if (handed !== null && still !== null) noteDeparture(host, migrationId, { ...handed, state: 'fenced' });
      if (handed !== null && still === null && !intact) noteDeparture(host, migrationId, null);
      if (run.role === 'source') {
        await refuseResized(readNotes(host.deeds, migrationId));
        await refuseWritten(readNotes(host.deeds, migrationId));
      }
    });
    host.deeds.noteFenced(migrationId);
  });
}

/** Proves once more, right before a deed leaves this host: domain gone, nobody has a disk, opening for write is refused. */
export async function proveQuiet(host: Host, record: DeedRecord): Promise<void> {
  if (record.places === null)
    throw new SealiftError('deed-refused', `${record.vmName} is not fenced on ${host.file.name}`);
  await Promise.all([refuseLive(host, record), proveFenced(record.places, fenceMark(record), host.file.fence)]);
}

/**
 * Before a guest is given up that waits, suspended: proves its fence, and that xendomains has not saved it since, as it does at an orderly reboot. Throws
 * 'fence-failed', 'deed-refused'.
 */
export async function proveWaiting(host: Host, record: DeedRecord): Promise<void> {
  const { places, vmName, vmUuid } = record;
  if (places === null) throw new SealiftError('deed-refused', `${vmName} is not fenced on ${host.file.name}`);
  const mark = fenceMark(record);
  await proveFenced(places, mark, host.file.fence);
  const images = await readSavedImages(host.dom0);
  if (images.some(({ uuid, name }) => (uuid === null ? name === vmName : uuid === vmUuid)))
    throw new SealiftError(
      'fence-failed',
      `xendomains on ${host.file.name} has saved ${vmName}, and would restore it`,
      {
        hint: 'remove its image from the folder of xendomains, and move it again',
      },
    );
}

/** The destination has made its disks by what the run was opened with; from the fence on no size changes any more. */
async function refuseResized({ disks }: RunNotes): Promise<void> {
  for (const { vdev, sizeBytes, ...disk } of disks) {
    const found = (await diskShapeOf(await placeNow(disk))).sizeBytes;
    if (found === sizeBytes) continue;
    throw new SealiftError(
      'disk-changed',
      `disk ${vdev} had ${String(sizeBytes)} bytes when the move was opened and has ${String(found)}`,
      { hint: 'move it again' },
    );
  }
}

/** The guest's memory is only good with its disks as they were when it was saved. */
async function refuseWritten(notes: RunNotes): Promise<void> {
  if (notes.memory === null || (await isOfOneMoment(notes))) return;
  throw new SealiftError('disk-changed', 'a disk was written between the save of the VM and its fence', {
    hint: 'move it again',
  });
}

/** Whether the fence that was proven for the open run, or for the return, still stands. */
async function isIntact(host: Host, record: DeedRecord): Promise<boolean> {
  if (record.places === null || record.fencedToken !== record.runToken) return false;
  return succeeds(proveFenced(record.places, fenceMark(record), host.file.fence));
}

/** What was read before the fence was put on, or while it was broken, does not count: the disks may have changed since. */
async function forgetReads(host: Host, migrationId: string, name: string): Promise<void> {
  await host.jobs.stop(migrationId);
  const { disks } = readNotes(host.deeds, migrationId);
  host.state.database.transaction(() => {
    host.own.forget(name);
    host.own.open(
      name,
      disks.map(({ sizeBytes }, disk) => ({ disk, sizeBytes })),
    );
  });
}

/** The departure of the run's guest while it waits, suspended; null when no domain is there. Throws 'vm-running' for any other. */
async function handedGuest(host: Host, migrationId: string, record: DeedRecord): Promise<RunNotes['departure']> {
  const notes = readNotes(host.deeds, migrationId);
  const domain = onlyDomain(await domainsOf(host.toolstack, { uuid: record.vmUuid }));
  if (isHanded(domain, notes)) return notes.departure;
  await refuseLive(host, record);
  return null;
}

async function refuseLive(host: Host, record: DeedRecord): Promise<void> {
  if (!(await domainGone(host.toolstack, record.vmUuid))) {
    throw new SealiftError('vm-running', `${record.vmName} has a domain on ${host.file.name}`);
  }
}

function foundPlaces(host: Host, migrationId: string, record: DeedRecord, vms: FoundVm[]): FencePlaces {
  if (record.places !== null) return record.places;
  const notes = readNotes(host.deeds, migrationId);
  const { run } = host.deeds.byMigration(migrationId);
  const vm = vmOfRun(vms, record, notes);
  return {
    // On its way back, the image by which it came here is used up.
    disks: (run.role === 'source' ? notes.disks : guestDisks(notes.disks)).map(lying),
    luns: notes.luns.map(lunPlace),
    configPath: vm?.configPath ?? null,
    autostartPath: vm?.autostartPath ?? null,
    savedImagePath: vm?.savedImagePath ?? null,
    asideFolder: join(asideRoot(host.file), copyName(run)),
  };
}
