import { isSealiftError } from '../domain/error.ts';
import type { DeedRecord } from '../deed/record.ts';
import { isSavedImage } from '../xen/saved-image.ts';
import { domainsOf, onlyDomain } from '../xen/gone.ts';
import type { Domain } from '../xen/toolstack.ts';
import { isSuspended } from './departure.ts';
import type { Host } from './host.ts';
import { emptyImage, imageOf, isOfOneMoment, sealLength, stampsOf } from './memory-image.ts';
import { readNotes, updateNotes } from './notes.ts';
import { pullPlug } from './plug.ts';

/**
 * Saves the run's guest into its image, durably. Null: done, and the guest is paused and to be destroyed now. Else why it could not be saved, in a line; it runs on,
 * unless the line says otherwise. An image of an earlier try counts for nothing from here on.
 */
export async function saveGuest(
  host: Host,
  ask: { migrationId: string; record: DeedRecord; domain: Domain },
  env: Record<string, string>,
): Promise<string | null> {
  const { migrationId, record, domain } = ask;
  if (isSuspended(domain)) return 'an earlier save of it was cut short, and it cannot go on from there';
  const image = imageOf(readNotes(host.deeds, migrationId));
  if (image === undefined) return 'its move has no image';
  updateNotes(host.deeds, migrationId, { memory: null });
  await emptyImage(host, image);
  // A paused guest cannot suspend; an earlier save leaves it so.
  if (domain.state === 'paused') await host.toolstack.unpause(domain, { env });
  try {
    await host.toolstack.save(domain, { image: image.path, memoryBytes: image.sizeBytes, env });
  } catch (error) {
    if (!isSealiftError(error) || !['xl-failed', 'xl-hangs'].includes(error.type)) throw error;
    return `it could not be saved: ${error.message}`;
  }
  const saved = await look(host, record);
  const whole = (await sealLength(image)) && (await isSavedImage(image.path));
  const now = await look(host, record);
  const still = now?.state === 'paused' && now.domid === saved?.domid && now.cpuSeconds === saved.cpuSeconds;
  if (whole && still) return null;
  if (now?.state === 'paused') await host.toolstack.unpause(now, { env });
  return whole ? 'somebody let it run on while it was saved' : 'xl saved something that is no image of it';
}

/** A save whose xl was killed leaves its guest suspended, and it cannot go on: its domain makes way. */
export async function endCutSave(host: Host, record: DeedRecord, env: Record<string, string>): Promise<void> {
  const domain = await look(host, record);
  if (domain !== null && isSuspended(domain)) await pullPlug(host, record, env);
}

/** The saved guest's domain is gone: from here on its image counts, with the disks as they are now. */
export async function noteSaved(host: Host, migrationId: string): Promise<void> {
  const stamps = await stampsOf(readNotes(host.deeds, migrationId));
  updateNotes(host.deeds, migrationId, { memory: { stamps, failures: 0, woken: null } });
}

/**
 * Right before the fence: an image that does not fit the disks any more, or never came about, becomes one of zeros, by which the
 * destination knows that there is no memory.
 */
export async function settleImage(host: Host, migrationId: string): Promise<void> {
  const notes = readNotes(host.deeds, migrationId);
  const image = imageOf(notes);
  if (image === undefined || (await isOfOneMoment(notes))) return;
  const { record } = host.deeds.byMigration(migrationId);
  if (notes.memory !== null)
    host.log.warn({ vm: record.vmName }, 'its disks were written after it was saved: its memory is given up');
  updateNotes(host.deeds, migrationId, { memory: null });
  await emptyImage(host, image);
}

async function look(host: Host, { vmUuid }: DeedRecord): Promise<Domain | null> {
  return onlyDomain(await domainsOf(host.toolstack, { uuid: vmUuid }));
}
