import type { Client } from '@temporalio/client';
import { migrationWorkflowId } from '../../../domain/migration.ts';
import type { World } from '../../support/world.ts';
import { judgeAgreement, holderOf } from './agreement.ts';
import { judgeChain } from './chain.ts';
import type { Ended } from './agreement.ts';
import { configuredDisks, judgeContent, judgeGone, judgeHandedOver } from './copies.ts';
import { readHostRecords } from './host-records.ts';
import { judgeLeftOver } from './left-over.ts';
import { judgeRecords } from './lost-records.ts';
import { judgeFiles, judgeHistories, judgeProcesses } from './secrets.ts';
import type { Secrets } from './secrets.ts';
import { judgeShown } from './shown.ts';
import type { Suspect } from './suspect.ts';

/** Where it happened: what is watched, and what must not be told. */
export interface Scene {
  world: World;
  temporal: Client;
  secrets: Secrets;
  /** Further processes that are meant to be there. */
  processes?(): number[];
  /** Further folders of the world's hosts. */
  otherFolders?: string[];
}

/**
 * Decides from the outside, after all has come to rest, whether the promise was kept for a VM: exactly one good copy, never two, no
 * byte lost, nothing told that must not be told, nothing left behind. Each complaint is a sentence; none is a good end.
 */
export async function judge(scene: Scene, suspect: Suspect, ended: Ended): Promise<string[]> {
  const { world, temporal, secrets } = scene;
  const hosts = world.up.hosts.map((at) => ({ at, records: readHostRecords(at) }));
  const { holder, complaints } = holderOf(hosts, suspect);
  complaints.push(...world.observer.doubles);
  const everywhere = hosts.map(({ records }) => records);
  complaints.push(...everywhere.flatMap((host) => judgeGone(host, suspect)));
  for (const { at, records } of hosts)
    complaints.push(...(await judgeHandedOver(records, () => readHostRecords(at), suspect)));
  complaints.push(...(await judgeShown(world, suspect, everywhere)));
  if (holder !== null) {
    complaints.push(...(await judgeAgreement(world, suspect, hosts, holder, ended)));
    const disks = await configuredDisks(holder.at, suspect);
    if (disks === null)
      complaints.push(`${suspect.vm.name} has no configuration on ${holder.records.name}, its holder`);
    else {
      complaints.push(...(await judgeContent(disks, suspect)));
      const rest = hosts.filter((host) => host !== holder).map(({ records }) => records);
      complaints.push(...(await judgeRecords(world, suspect, { ...holder, dataPath: disks.at(-1) ?? '' }, rest)));
      // When it is known what was left behind.
      complaints.push(...judgeChain(world.observer.boots, suspect));
    }
  }
  const further = { processes: scene.processes?.() ?? [], folders: scene.otherFolders ?? [] };
  complaints.push(...(await judgeLeftOver(world, suspect, hosts, further)));
  complaints.push(...judgeFiles(world, secrets, scene.otherFolders), ...judgeProcesses(world, secrets));
  complaints.push(
    ...(await judgeHistories(temporal, secrets, migrationWorkflowId(suspect.vm.uuid), suspect.readHistories)),
  );
  return complaints;
}
