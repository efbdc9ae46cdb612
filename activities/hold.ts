import { dom0 } from '../dom0/dom0.ts';
import { SealiftError } from '../domain/error.ts';
import type { Deed, Settled, Signed } from '../domain/statement.ts';
import type { DeedRecord, DeedRun } from '../deed/record.ts';
import { isThere } from '../storage/durable-file.ts';
import { findLun } from '../storage/lun.ts';
import { findVolume } from '../storage/volume.ts';
import { domainsOf } from '../xen/gone.ts';
import { proveQuiet } from './fencing.ts';
import { peerIdentity } from './host.ts';
import type { Host } from './host.ts';
import { requireLanding } from './landing-disks.ts';
import { checkFenceable, leaveTargets } from './luns.ts';
import { giveMemoryUp, guestDisks } from './memory-image.ts';
import { findNotes, lunsOf } from './notes.ts';
import { dropRunSecret } from './run-keys.ts';
import { inTurn } from './vm-turn.ts';
import { cameBy, leftBehindSince } from './vms.ts';

/**
 * The host that a VM would go back to: does it keep its copy? Gives the deed by which it went.
 * A workflow that is reset to its begin may find it back already, and goes on from there. Throws `revert-refused` when the hold was ended or
 * a disk is not there.
 */
export async function checkHold(host: Host, vmUuid: string): Promise<{ migrationId: string; deed: Signed<Deed> }> {
  const { lineage } = recordOf(host, vmUuid);
  const { run, deed } = host.deeds.runAside(lineage) ?? host.deeds.heldRun(lineage);
  for (const { vdev, path, volume } of guestDisks(run.places?.disks ?? [])) {
    if (volume === undefined ? await isThere(dom0(), path) : (await findVolume(volume)) !== null) continue;
    throw new SealiftError(
      'revert-refused',
      `the VM cannot go back: disk ${vdev} is not on ${host.file.name} any more`,
    );
  }
  for (const { vdev, lun } of run.places?.luns ?? []) {
    if ((await findLun(lun.id, [lun.target])) === null)
      throw new SealiftError(
        'revert-refused',
        `the VM cannot go back: ${host.file.name} does not reach the LUN ${vdev}`,
      );
  }
  return { migrationId: run.migrationId, deed };
}

/**
 * The holder begins to give a VM back to the host that it came from; asked again once it has given it back, it says what it said. Throws `revert-refused` when it came from elsewhere,
 * or when the workflow run `orderedBy` has aborted its return here; `unknown-state` when this host does not know that it took the deed and yet set the VM up: nobody could tell what it wrote.
 */
export async function beginReturn(
  host: Host,
  ask: { vmUuid: string; to: string; deed: Signed<Deed> },
  orderedBy?: string,
): Promise<{ migrationId: string; ranSince: string | null; wasRunning: boolean; from: string }> {
  const record = recordOf(host, ask.vmUuid);
  if (record.state === 'receiving') await requireLanding(record.lineage, record.places?.disks ?? []);
  const to = peerIdentity(host.file, ask.to);
  const back = givenBack(host, record);
  if (orderedBy !== undefined) refuseWithdrawn(host, record, orderedBy);
  if (back === undefined) await checkFenceable(lunsOf(host.deeds, record));
  const run = back?.peer === to ? back : host.deeds.beginReturn(record.lineage, to, ask.deed).run;
  const running = (await domainsOf(host.toolstack, { uuid: ask.vmUuid })).length > 0;
  return {
    migrationId: run.migrationId,
    ranSince: leftBehindSince(findNotes(host.deeds, run.migrationId)),
    wasRunning: running || record.wasRunning === true,
    from: host.file.name,
  };
}

/** An order of a workflow whose return was aborted comes too late. */
function refuseWithdrawn(host: Host, record: DeedRecord, orderedBy: string): void {
  const run = cameBy(host, record);
  if (run === undefined || findNotes(host.deeds, run.migrationId)?.withdrawn.includes(orderedBy) !== true) return;
  throw new SealiftError('revert-refused', `the return of ${record.vmName} was aborted by the one who asks for it`);
}

/** The holder gives the right back; its own copy stays, fenced. */
export async function giveBack(host: Host, migrationId: string): Promise<{ deed: Signed<Deed> }> {
  const { record, run } = host.deeds.byMigration(migrationId);
  if (run.state !== 'returned') {
    await inTurn(host, record.lineage, async () => {
      await proveQuiet(host, record);
      host.deeds.giveBack(migrationId);
    });
  }
  // Where no deed was accepted before, the run's key is there still.
  await dropRunSecret(host, run);
  return { deed: host.deeds.giveBack(migrationId) };
}

/** The run that was given back last, when nothing has come since. */
export function givenBack(host: Host, { lineage, token, state }: DeedRecord): DeedRun | undefined {
  if (state !== 'none') return undefined;
  return host.deeds
    .runs(lineage)
    .find((run) => run.role === 'destination' && run.state === 'returned' && run.token === token - 1);
}

/** The host that ceded takes the right back. */
export function takeBack(host: Host, deed: Signed<Deed>): { migrationId: string } {
  return { migrationId: host.deeds.takeBack(deed).run.migrationId };
}

/**
 * The holder says that the VM stays that came by this token; an order that comes late says nothing of a later crossing. Copies which this
 * host itself ceded before the VM came back to it become garbage.
 */
export function settleHold(
  host: Host,
  ask: { vmUuid: string; token: number; by: string },
): { settled: Signed<Settled>; released: string[] } {
  const { lineage } = recordOf(host, ask.vmUuid);
  const { settled, released } = host.deeds.settle(lineage, ask.token, ask.by);
  return { settled, released: toCollect(released) };
}

/** Ends the hold: the fenced copies that were ceded from here become garbage, which only `removeGarbage` removes; their images of memory go at once. */
export async function finishHold(
  host: Host,
  ask: { settled: Signed<Settled>; by: string },
): Promise<{ released: string[] }> {
  const released = host.deeds.release(ask.settled, ask.by);
  for (const { migrationId } of released) {
    // Memory is no copy of anything: it is of no use any more, and a secret.
    const notes = findNotes(host.deeds, migrationId);
    if (notes === null) continue;
    await giveMemoryUp(host, migrationId, notes);
    await leaveTargets(host, notes.luns);
  }
  return { released: toCollect(released) };
}

function toCollect(runs: DeedRun[]): string[] {
  return runs.filter(({ collected }) => !collected).map(({ migrationId }) => migrationId);
}

function recordOf(host: Host, vmUuid: string): DeedRecord {
  const record = host.deeds.byVm(vmUuid);
  if (record === null) throw new SealiftError('not-adopted', `${host.file.name} has no record of the VM ${vmUuid}`);
  return record;
}
