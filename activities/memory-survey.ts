import { fenceKindIn } from '../deed/fence.ts';
import { refusal } from '../domain/concern.ts';
import { isMemory } from '../domain/manifest.ts';
import type { DiskShape } from '../domain/manifest.ts';
import type { Concern, HostCard, SourceSurvey } from '../domain/survey.ts';
import { poolSpace } from '../storage/pool.ts';
import { lackingFeatures } from '../xen/cpu.ts';
import type { FoundVm } from '../xen/dom0.ts';
import { configFlag, configKeys } from '../xen/xl-config/values.ts';
import { memoryFolder } from './folders.ts';
import type { Host } from './host.ts';
import { mebibytes } from './mebibytes.ts';
import { imageOf, imageShape, memoryPool } from './memory-image.ts';
import { findNotes } from './notes.ts';
import { reservedBytes } from './pools.ts';

/** The image that a move of the VM would make of its memory, and what stands against making one. */
export async function surveyMemory(
  host: Host,
  found: FoundVm,
  migrationId?: string,
): Promise<{ image: DiskShape; concerns: Concern[] }> {
  const image = openedWith(host, migrationId) ?? imageShape(found);
  const concerns = settingConcerns(found);
  if (found.state !== 'running') {
    const text = `${found.name} is ${found.state}: only a running guest can be saved with its memory`;
    concerns.push(refusal('memory-not-running', text));
  }
  concerns.push(...(await roomConcerns(host, image.sizeBytes)));
  if (host.file.fence === 'immutable' && (await fenceKindIn(memoryFolder(host.file))) !== 'immutable') {
    const text = `images of memory are on a file system of ${host.file.name} that cannot make files immutable`;
    concerns.push(refusal('fence-failed', text, 'move it without --keep-memory'));
  }
  return { image, concerns };
}

/** What a destination has against the image of a VM's memory; nothing where a move brings none. `older`: its Xen is, than the source's. */
export async function memoryConcernsThere(
  host: Host,
  { card, source, older }: { card: HostCard; source: SourceSurvey; older: boolean },
): Promise<Concern[]> {
  const image = source.disks.find(isMemory);
  if (image === undefined) return [];
  const concerns = await roomConcerns(host, image.sizeBytes);
  if (older) concerns.push(olderXenConcern(card, source));
  return concerns;
}

/** Memory goes to no older Xen. */
export function olderXenConcern(card: HostCard, source: SourceSurvey): Concern {
  const text = `${card.name} runs Xen ${card.xenVersion}, and memory of ${source.host.xenVersion} goes to no older one`;
  return refusal('memory-older-xen', text);
}

/** A guest that goes on with its memory may use whatever its processor had. */
export function cpuConcerns(card: HostCard, source: SourceSurvey): Concern[] {
  const [there, here] = [card.cpuFeatures, source.host.cpuFeatures];
  const lacking = there === undefined || here === undefined ? 0 : lackingFeatures(here, there);
  if (lacking === 0) return [];
  const text = `${String(lacking)} features of the processors of ${source.host.name} are not in those of ${card.name}`;
  return [refusal('memory-cpu', text)];
}

/** A migration that is open has the size that it was opened with. */
function openedWith(host: Host, migrationId: string | undefined): DiskShape | null {
  if (migrationId === undefined || !host.deeds.hasRun(migrationId)) return null;
  const notes = findNotes(host.deeds, migrationId);
  const image = notes === null ? undefined : imageOf(notes);
  if (image === undefined) return null;
  const { vdev, sizeBytes, sectorBytes } = image;
  return { vdev, sizeBytes, sectorBytes };
}

/** Which settings keep Xen from saving a guest, or from sending it. Devices of this machine refuse every move, kept memory or not. */
export function settingConcerns({ config }: FoundVm): Concern[] {
  if (config === null) return [];
  const concerns: Concern[] = [];
  if (configFlag(config, 'nomigrate') === true) {
    concerns.push(refusal('memory-unmovable', 'nomigrate is set: Xen does not save this VM'));
  }
  if (configKeys(config).includes('vnuma')) {
    concerns.push(refusal('memory-unmovable', 'Xen does not save a VM with a virtual NUMA layout'));
  }
  return concerns;
}

async function roomConcerns(host: Host, neededBytes: number): Promise<Concern[]> {
  const pool = memoryPool(host.file);
  const [{ freeBytes }, reserved] = await Promise.all([poolSpace(pool), reservedBytes(host, pool)]);
  const free = Math.max(0, freeBytes - reserved);
  if (free >= neededBytes) return [];
  const text = `${host.file.name} has ${mebibytes(free, Math.ceil)} MiB free in its state folder, the image of the memory may need ${mebibytes(neededBytes, Math.ceil)} MiB`;
  return [refusal('memory-no-room', text)];
}
