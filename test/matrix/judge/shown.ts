import { existsSync } from 'node:fs';
import type { DeedRun } from '../../../deed/record.ts';
import type { World } from '../../support/world.ts';
import { pathsOf, runsOf } from './copies.ts';
import type { HostRecords } from './host-records.ts';
import type { Suspect } from './suspect.ts';

/** What lies on a host of a VM is what `sealift host show` tells of it: the VM itself, a copy that is kept, or what gc would remove. */
export async function judgeShown(
  { sealift }: Pick<World, 'sealift'>,
  { vm }: Suspect,
  hosts: HostRecords[],
): Promise<string[]> {
  const complaints: string[] = [];
  for (const host of hosts) {
    const isListed = (await sealift.vms(host.name)).vms.some(({ vmUuid }) => vmUuid === vm.uuid);
    const garbage = new Set((await sealift.garbage(host.name)).map(({ id }) => id));
    const kept = runsOf(host, vm.uuid).filter((run) => !run.collected);
    // A landing may be on the disks of one that came to nothing.
    const inUse = new Set(kept.filter((run) => !isOver(run)).flatMap(pathsOf));
    for (const run of kept) {
      if (!pathsOf(run).some(existsSync) || garbage.has(run.migrationId)) continue;
      if (isOver(run) ? pathsOf(run).some((path) => inUse.has(path)) : isListed) continue;
      complaints.push(`${host.name} shows nothing of ${vm.name}'s copy of token ${String(run.token)} (${run.state})`);
    }
  }
  return complaints;
}

/** A landing that came to nothing, or was given back. */
function isOver({ role, state }: DeedRun): boolean {
  return role === 'destination' && (state === 'aborted' || state === 'returned');
}
