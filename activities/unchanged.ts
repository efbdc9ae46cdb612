import { createHash } from 'node:crypto';
import type { DeedRecord } from '../deed/record.ts';
import { SealiftError } from '../domain/error.ts';
import type { FoundVm } from '../xen/dom0.ts';
import { writeXlConfig } from '../xen/xl-config/write.ts';
import type { Host } from './host.ts';
import { guestDisks } from './memory-image.ts';
import { readNotes } from './notes.ts';
import type { RunNotes } from './notes.ts';
import { examineDisks } from './vms.ts';
import type { ExaminedDisk } from './vms.ts';

/**
 * Throws `vm-changed` when a VM is not any more what its run was opened with: what crosses was written down then, and a gate
 * may have lasted for days. Once the fence has moved the configuration aside nothing of it can change, and nothing is compared.
 * `vms`: all of this host, as they are now.
 */
export async function refuseChanged(host: Host, migrationId: string, vms: FoundVm[]): Promise<void> {
  const { record, run } = host.deeds.byMigration(migrationId);
  if (run.role !== 'source' || run.state !== 'open') return;
  const change = await changeSince(record, readNotes(host.deeds, migrationId), vms);
  if (change === null) return;
  throw new SealiftError('vm-changed', `${record.vmName} was changed after its move was opened: ${change}`);
}

/** A run's VM at its source; a configuration that names no uuid had it from its domain, which may be gone. */
export function vmOfRun(vms: FoundVm[], { vmUuid }: DeedRecord, { configPath }: RunNotes): FoundVm | undefined {
  return (
    vms.find(({ uuid }) => uuid === vmUuid) ??
    vms.find((vm) => vm.uuid === null && vm.configPath !== null && vm.configPath === configPath)
  );
}

/** Tells whether a configuration still says the same; without what is pinned, which depends on the domain that runs. */
export function restDigest({ config }: FoundVm): string | null {
  return config === null ? null : createHash('sha256').update(writeXlConfig(config)).digest('hex');
}

async function changeSince(record: DeedRecord, notes: RunNotes, vms: FoundVm[]): Promise<string | null> {
  const { places } = record;
  const found = vmOfRun(vms, record, notes);
  if (found === undefined) return places === null ? 'its configuration is not there' : null;
  const { disks } = await examineDisks(found, vms);
  const known: KnownDisk[] = [...guestDisks(notes.disks), ...notes.luns];
  for (const disk of disks) {
    const before = known.find(({ vdev }) => vdev === disk.vdev);
    // A fence that was begun has taken the file from its loop device, the name from its volume, the LUN from this host.
    if (places !== null && (before?.loop ?? before?.volume ?? before?.lun) !== undefined) continue;
    const change = before === undefined ? 'was added' : diskChange(before, disk);
    if (change !== null) return `disk ${disk.vdev} ${change}`;
  }
  const lost = known.find(({ vdev }) => !disks.some((disk) => disk.vdev === vdev));
  if (lost !== undefined) return `disk ${lost.vdev} was taken from it`;
  if (restDigest(found) !== notes.restDigest || found.configPath !== notes.configPath) return 'its configuration';
  if ((found.autostartPath !== null) !== notes.autostart) return `its autostart is ${notes.autostart ? 'off' : 'on'}`;
  return null;
}

type KnownDisk = Pick<ExaminedDisk, 'vdev' | 'sizeBytes' | 'path' | 'loop' | 'volume' | 'lun'>;

function diskChange(before: KnownDisk, now: ExaminedDisk): string | null {
  if (now.problem !== null) return 'cannot be measured';
  const elsewhere =
    now.path !== before.path ||
    now.loop?.device !== before.loop?.device ||
    now.volume?.uuid !== before.volume?.uuid ||
    now.lun?.id !== before.lun?.id;
  if (elsewhere) return 'lies elsewhere';
  if (now.sizeBytes !== before.sizeBytes) {
    return `had ${String(before.sizeBytes)} bytes and has ${String(now.sizeBytes)}`;
  }
  return null;
}
