import { dirname, join } from 'node:path';
import { dom0 } from '../dom0/dom0.ts';
import type { DeedRecord } from '../deed/record.ts';
import { isSealiftError, SealiftError } from '../domain/error.ts';
import { isThere, writeFileDurably } from '../storage/durable-file.ts';
import { isSavedImage } from '../xen/saved-image.ts';
import { domainsOf } from '../xen/gone.ts';
import type { Domain } from '../xen/toolstack.ts';
import { arrivedDomain, noteArrivalGone, noteArrivalWoken } from './arrival.ts';
import { goOnHere } from './departure.ts';
import type { Host } from './host.ts';
import { imageOf, isOfOneMoment, removeImage } from './memory-image.ts';
import { readNotes, updateNotes } from './notes.ts';
import type { RunNotes } from './notes.ts';
import { endCutSave } from './save.ts';

/** After so many failures of `xl restore` the guest is better off without its memory than not running. */
const restoreTries = 3;

interface Waking {
  migrationId: string;
  record: DeedRecord;
  configPath: string;
}

/**
 * Starts the VM, paused first to see that it is ours: a guest that came with its memory, or waits here since its memory went, goes on where it was; else with the
 * memory in its image where one may be used, or anew from its disks. That an image was
 * used is durable before the guest runs, so it is never used twice. Tells what became of the memory; undefined when none was to be kept.
 */
export async function wakeVm(
  host: Host,
  waking: Waking,
  env: Record<string, string>,
): Promise<'kept' | 'lost' | undefined> {
  const { migrationId, record } = waking;
  const went = await goOnHere(host, migrationId, record, env);
  if (went === 'goes-on') return 'kept';
  const notes = readNotes(host.deeds, migrationId);
  const arrived = await isUsableArrival(host, record, notes);
  if (!arrived) noteArrivalGone(host, migrationId);
  const image = imageOf(notes);
  if (image !== undefined) await endCutSave(host, record, env);
  const kept = image !== undefined && (await restored(host, waking, image, env));
  const made = !kept && !arrived && (await host.toolstack.create(waking.configPath, { paused: true, env }));
  const domain = await theOne(host, record);
  noteWoken(host, migrationId, { domid: domain.domid, kept });
  if (arrived) noteArrivalWoken(host, migrationId);
  await host.toolstack.unpause(domain, { env });
  if (image === undefined) {
    if (arrived) return 'kept';
    return went === 'lost' || notes.arrival !== null ? 'lost' : undefined;
  }
  await removeImage(host, image);
  if (kept) return 'kept';
  // A guest that was not stopped: an abort found it as it was, at the most paused by its save.
  if (notes.memory === null && !made) return undefined;
  host.log.warn({ vm: record.vmName, migrationId }, 'it was started anew: its memory could not be kept');
  return 'lost';
}

/** Whether the guest waits here that came with its memory. By a claim none goes on: its source may have aborted, and run on, before it was lost. */
async function isUsableArrival(host: Host, record: DeedRecord, { arrival }: RunNotes): Promise<boolean> {
  return host.deeds.presentClaim(record) === null && (await arrivedDomain(host, record, arrival)) !== null;
}

/** Whether a domain is there with the memory of the image; otherwise the image will not be used any more, once the VM runs. */
async function restored(
  host: Host,
  { migrationId, record }: Waking,
  image: RunNotes['disks'][number],
  env: Record<string, string>,
): Promise<boolean> {
  const notes = readNotes(host.deeds, migrationId);
  const { memory } = notes;
  if (memory === null) return false;
  if (memory.woken !== null) return wokeBefore(host, migrationId, record, memory.woken);
  if (memory.failures >= restoreTries || !fitsLuns(host, migrationId, notes) || !(await isUsable(notes, image)))
    return false;
  try {
    return await host.toolstack.restore(await ownConfig(record, notes, image), {
      image: image.path,
      memoryBytes: image.sizeBytes,
      env,
    });
  } catch (error) {
    if (!isSealiftError(error) || !['xl-failed', 'xl-hangs'].includes(error.type)) throw error;
    const failures = memory.failures + 1;
    updateNotes(host.deeds, migrationId, { memory: { ...memory, failures } });
    if (failures < restoreTries) throw error;
    host.log.warn({ vm: record.vmName, message: error.message }, 'its memory cannot be restored');
    return false;
  }
}

/** The domain that the image became, when it is there still: cut between the note and the unpause, it only has to go on. */
async function wokeBefore(
  host: Host,
  migrationId: string,
  { vmUuid }: DeedRecord,
  woken: { domid: number | null; kept: boolean },
): Promise<boolean> {
  if (!woken.kept) return false;
  const domains = await domainsOf(host.toolstack, { uuid: vmUuid });
  if (domains.some(({ domid, state }) => domid === woken.domid && (state === 'paused' || state === 'running')))
    return true;
  noteWoken(host, migrationId, { domid: null, kept: false });
  return false;
}

/**
 * What another host has written to a LUN, this one cannot tell: its memory counts no more once the VM may have run elsewhere. By a claim it may have, since its
 * source can have aborted, and run on, before it was lost.
 */
function fitsLuns(host: Host, migrationId: string, { luns }: RunNotes): boolean {
  if (luns.length === 0) return true;
  const { record, run } = host.deeds.byMigration(migrationId);
  return host.deeds.presentClaim(record) === null && run.state !== 'ceded' && run.state !== 'returned';
}

/** The disks come first: memory is only good with the disks as they were when it was saved. */
async function isUsable(notes: RunNotes, { path }: { path: string }): Promise<boolean> {
  return (await isThere(dom0(), path)) && (await isSavedImage(path)) && (await isOfOneMoment(notes));
}

/** The run's configuration in a file beside the image: a source's own may leave to chance what the memory knows, such as MACs. */
async function ownConfig({ vmName }: DeedRecord, { config }: RunNotes, { path }: { path: string }): Promise<string> {
  if (config === null) throw new SealiftError('unknown-state', `no configuration of ${vmName} is kept`);
  const file = join(dirname(path), `${vmName}.cfg`);
  await writeFileDurably(dom0(), file, config, 0o600);
  return file;
}

async function theOne(host: Host, { vmUuid, vmName }: DeedRecord): Promise<Domain> {
  const domains = await domainsOf(host.toolstack, { uuid: vmUuid });
  const [domain] = domains;
  if (domain !== undefined && domains.length === 1) return domain;
  throw new SealiftError('unknown-state', `${vmName} was started and ${String(domains.length)} domains have its uuid`);
}

function noteWoken(host: Host, migrationId: string, woken: { domid: number | null; kept: boolean }): void {
  const { memory } = readNotes(host.deeds, migrationId);
  if (memory !== null) updateNotes(host.deeds, migrationId, { memory: { ...memory, woken } });
}
