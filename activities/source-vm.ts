import { lying } from '../deed/places.ts';
import type { DeedRecord } from '../deed/record.ts';
import { crossingDisks, sharedDisks } from '../domain/manifest.ts';
import type { Concern } from '../domain/survey.ts';
import { memoryBytesOf } from '../xen/at-rest.ts';
import type { FoundVm } from '../xen/dom0.ts';
import { domainsOf, onlyDomain } from '../xen/gone.ts';
import { configDisks } from '../xen/xl-config/disk.ts';
import { parseXlConfig } from '../xen/xl-config/parse.ts';
import { crossingConfig } from './crossing-config.ts';
import type { Host } from './host.ts';
import { emptyNotes, findNotes } from './notes.ts';
import type { RunNotes } from './notes.ts';
import { restDigest } from './unchanged.ts';
import { examineDisks, findVm } from './vms.ts';
import type { ExaminedDisk } from './vms.ts';

/** A VM at the host that it is to leave. */
export interface SourceVm {
  found: FoundVm;
  disks: ExaminedDisk[];
  concerns: Concern[];
  /** Its open run has begun to fence it: all of this comes from the run's notes. */
  fenced: boolean;
}

/** The VM as dom0 shows it or, once the fence of its open run has moved it aside, as that run knows it. Throws `unknown-vm`. */
export async function sourceVm(host: Host, vmUuid: string): Promise<SourceVm> {
  const kept = fencedRun(host, vmUuid);
  if (kept !== null) return asFenced(host, kept);
  const { found, all } = await findVm(host, vmUuid);
  return { found, ...(await examineDisks(found, all)), fenced: false };
}

/** What a host notes of a VM as it is found. Throws `config-syntax`. */
export async function foundNotes(
  host: Host,
  { found, disks }: Pick<SourceVm, 'found' | 'disks'>,
  vmUuid: string,
): Promise<RunNotes> {
  return {
    ...emptyNotes,
    config: await crossingConfig(host, found, vmUuid),
    autostart: found.autostartPath !== null,
    configPath: found.configPath,
    restDigest: restDigest(found),
    disks: crossingDisks(disks).map(({ sizeBytes, sectorBytes, ...disk }) => ({
      sizeBytes,
      sectorBytes,
      ...lying(disk),
      fresh: false,
    })),
    luns: sharedDisks(disks).map(({ vdev, sizeBytes, sectorBytes, path, lun }) => ({
      vdev,
      sizeBytes,
      sectorBytes,
      path,
      lun,
    })),
  };
}

/** What a run that takes the place of the one that has fenced the VM goes by; null when none has. */
export function inheritedNotes(host: Host, vmUuid: string): RunNotes | null {
  const kept = fencedRun(host, vmUuid);
  if (kept === null) return null;
  const { config, autostart, configPath, restDigest, disks, luns, memory } = kept.notes;
  return { ...emptyNotes, config, autostart, configPath, restDigest, disks, luns, memory };
}

interface FencedRun {
  record: DeedRecord;
  notes: RunNotes;
}

function fencedRun(host: Host, vmUuid: string): FencedRun | null {
  const record = host.deeds.byVm(vmUuid);
  if (record?.state !== 'holder') return null;
  const run = host.deeds.inProgress(record.lineage);
  if (run?.role !== 'source') return null;
  const notes = findNotes(host.deeds, run.migrationId);
  // A guest that was saved and is gone is as little to be seen as one that is fenced.
  return notes === null || (record.places === null && notes.memory === null) ? null : { record, notes };
}

async function asFenced(host: Host, { record, notes }: FencedRun): Promise<SourceVm> {
  const { vmUuid, vmName, places } = record;
  const config = notes.config === null ? null : parseXlConfig(notes.config, vmName);
  const domain = onlyDomain(await domainsOf(host.toolstack, { uuid: vmUuid }));
  return {
    found: {
      name: vmName,
      uuid: vmUuid,
      state: domain?.state ?? 'stopped',
      configPath: notes.configPath,
      config,
      problem: null,
      autostartPath: places?.autostartPath ?? null,
      savedImagePath: null,
      domid: domain?.domid ?? null,
      memoryBytes: config === null ? 0 : memoryBytesOf(config),
      disks: config === null ? [] : configDisks(config),
      running: null,
    },
    disks: [
      ...notes.disks.map(({ sizeBytes, sectorBytes, ...disk }) => ({
        sizeBytes,
        sectorBytes,
        ...lying(disk),
        problem: null,
      })),
      ...notes.luns.map((lun) => ({ ...lun, problem: null })),
    ],
    concerns: [],
    fenced: true,
  };
}
