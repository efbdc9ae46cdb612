import { isOwn, lunKey, tryNobody } from '../deed/lun-fence.ts';
import type { LunKey } from '../deed/lun-fence.ts';
import type { FencePlaces } from '../deed/places.ts';
import type { DeedRecord } from '../deed/record.ts';
import { notThere } from '../dom0/system-errors.ts';
import { refusal, warning } from '../domain/concern.ts';
import { isSealiftError, SealiftError } from '../domain/error.ts';
import type { IscsiTarget } from '../domain/host-file.ts';
import { sharedDisks } from '../domain/manifest.ts';
import type { DiskShape, SharedShape } from '../domain/manifest.ts';
import type { Concern } from '../domain/survey.ts';
import { diskShapeOf } from '../storage/disk-shape.ts';
import { getFact, setFact } from '../storage/facts.ts';
import { holdersOf } from '../storage/holders.ts';
import { sessions } from '../storage/iscsi.ts';
import { diskPlace } from '../storage/loop.ts';
import { findLun, leaveTarget, lunPath, reachLun, seenLun } from '../storage/lun.ts';
import type { Lun, ReachedLun } from '../storage/lun.ts';
import { reservable } from '../storage/reservation.ts';
import { findVms } from '../xen/dom0.ts';
import { isArrival } from './arrival.ts';
import type { Host } from './host.ts';
import { findNotes, lunsOf } from './notes.ts';
import type { RunNotes } from './notes.ts';

/** What a host tells of a LUN to the other one. */
export function sharedShapeOf({ vdev, sizeBytes, sectorBytes, lun }: RunNotes['luns'][number]): SharedShape {
  return { vdev, sizeBytes, sectorBytes, lun: lun.id };
}

/** What stands against moving a VM that has a LUN, at its source. Throws `iscsi-failed`, `disk-shared`. */
export async function lunConcerns({ vdev, target }: { vdev: string; target: string }, lun: Lun): Promise<Concern[]> {
  const reached = await reachLun(lun);
  const able = await reservable(reached.device);
  if (able === null) {
    return [refusal('fence-failed', `disk ${vdev}: its target has no persistent reservations, so it cannot be fenced`)];
  }
  const concerns: Concern[] = [];
  if (/^\/dev\/[a-z]+\d*$/.test(target)) {
    concerns.push(warning('lun-name', `disk ${vdev}: it is named by a device that may be another disk after a boot`));
  }
  if (!able.lasting) {
    const text = `disk ${vdev}: its target forgets who has it reserved when it is started anew`;
    concerns.push(warning('lun-forgetful', text));
  }
  const held = await lunKey(reached).catch((error: unknown) => {
    if (isSealiftError(error) && error.type === 'unknown-state') return error;
    throw error;
  });
  if (held instanceof Error) concerns.push(refusal('disk-shared', `disk ${vdev}: ${held.message}`, held.hint));
  return concerns;
}

/** What a destination has against the LUNs of a VM; logs in to the targets of the host's file to see. */
export async function lunConcernsThere(
  host: Host,
  { vmUuid, disks }: { vmUuid: string; disks: readonly DiskShape[] },
): Promise<Concern[]> {
  const concerns: Concern[] = [];
  for (const { vdev, lun: id, sizeBytes } of sharedDisks(disks)) {
    const refuse = (name: Parameters<typeof refusal>[0], text: string, remedy?: string): void =>
      void concerns.push(refusal(name, `disk ${vdev}: ${text}`, remedy));
    try {
      const reached = await find(host, id);
      if (reached === null) {
        refuse('lun-missing', `${host.file.name} reaches no LUN of that name by the targets of its file`);
        continue;
      }
      const found = await diskShapeOf(reached.device);
      if (found.sizeBytes !== sizeBytes) refuse('lun-missing', `it has ${String(found.sizeBytes)} bytes there`);
      const user = await userHere(host, reached, vmUuid);
      if (user !== null) refuse('disk-shared', `${host.file.name} has it in use: ${user}`);
    } catch (error) {
      if (!isSealiftError(error)) throw error;
      if (error.type === 'iscsi-failed' || error.type === 'disk-shared') refuse(error.type, error.message, error.hint);
      else throw error;
    }
  }
  return concerns;
}

/** Where the LUNs of a VM that is to come are here. Throws `disk-missing`, `disk-shared`, `iscsi-failed`. */
export async function lunPlaces(
  host: Host,
  { vmUuid, disks }: { vmUuid: string; disks: readonly DiskShape[] },
): Promise<FencePlaces['luns']> {
  const places: FencePlaces['luns'] = [];
  for (const { vdev, lun: id } of sharedDisks(disks)) {
    const reached = await find(host, id);
    if (reached === null)
      throw new SealiftError('disk-missing', `${host.file.name} reaches no LUN ${id} for disk ${vdev}`);
    const user = await userHere(host, reached, vmUuid);
    if (user !== null) throw new SealiftError('disk-shared', `the LUN ${id} is in use on ${host.file.name}: ${user}`);
    places.push({ vdev, path: await lunPath(reached), lun: reached.lun });
  }
  return places;
}

/** Whom a LUN is reserved for, in words; null when it is for nobody at all. Throws as `reachLun`. */
export async function reservationWords(lun: Lun): Promise<string | null> {
  const reached = await reachLun(lun);
  const held = await lunKey(reached);
  return held === null ? null : heldWords(held, reached);
}

function heldWords(held: LunKey, reached: ReachedLun): string {
  const whom = held.holder === 0 ? 'nobody: it is fenced' : isOwn(held, reached) ? 'this host' : 'another host';
  return `reserved by token ${String(held.token)} of lineage ${held.lineage}…, for ${whom}`;
}

/** Whether a LUN is reserved, and not for this host. */
export async function isReservedElsewhere(lun: Lun): Promise<boolean> {
  const reached = await reachLun(lun);
  const held = await lunKey(reached);
  return held !== null && !isOwn(held, reached);
}

/**
 * Before a run is opened: compares whom the LUNs of a VM are reserved for with its record, and sees that they can be fenced. Throws 'unknown-state' when
 * another VM or another host has one, or a token that the record has not reached: a database that was restored from a copy; 'fence-failed'.
 */
export async function checkReserved(record: DeedRecord | null, luns: RunNotes['luns']): Promise<void> {
  for (const { lun } of luns) {
    const reached = await reachLun(lun);
    const held = await lunKey(reached);
    const own = held !== null && isOwn(held, reached);
    if (held === null || own) await tryNobody(lun);
    if (held === null) continue;
    const ours = record?.lineage.startsWith(held.lineage) === true && held.token <= record.token;
    if (ours && (own || held.holder === 0)) continue;
    throw new SealiftError(
      'unknown-state',
      `record and reservation disagree: the LUN ${lun.id} is ${heldWords(held, reached)}`,
    );
  }
}

/** A LUN as far as it can be seen without a login; null when it cannot. */
export async function seenNow({ id, target }: Lun): Promise<ReachedLun | null> {
  return seenLun(id, await sessions(), [target]);
}

/** Before a return: whether the fence can be put on that it will need. Throws 'fence-failed', 'iscsi-failed', 'disk-missing'. */
export async function checkFenceable(luns: RunNotes['luns']): Promise<void> {
  for (const { lun } of luns) await tryNobody(lun);
}

/** Logs out of the targets of a VM's LUNs that this host had logged in to for moves and needs no more. */
export async function leaveTargets(host: Host, luns: RunNotes['luns']): Promise<void> {
  for (const { lun } of luns) {
    const { target } = lun;
    if (getFact(host.state.database, loginFact(target)) !== ours) continue;
    const needed = await neededIds(host);
    const left = await leaveTarget(target, async (device, id) => {
      return needed.has(id) || (await holdersOf(device)).length > 0;
    });
    if (left) setFact(host.state.database, loginFact(target), '');
  }
}

/** That this host, and nobody by hand, has logged in to a target. */
const ours = 'for moves';

function loginFact({ name }: IscsiTarget): string {
  return `iscsi ${name}`;
}

function find(host: Host, id: string, targets = host.file.iscsi): Promise<ReachedLun | null> {
  return findLun(id, targets, (target) => setFact(host.state.database, loginFact(target), ours));
}

/** Who else than the VM that is to come uses a LUN here; null when nobody does. */
async function userHere(host: Host, { lun: { id }, device }: ReachedLun, vmUuid: string): Promise<string | null> {
  // What came with its memory, for a run before, has it open.
  const arrivals = (await host.toolstack.list()).filter((domain) => domain.uuid === vmUuid && isArrival(host, domain));
  const vm = (await usersOfLuns(host, arrivals.length > 0 ? vmUuid : null)).get(id);
  if (vm !== undefined) return `VM ${vm}`;
  if (arrivals.length > 0) return null;
  const [holder] = await holdersOf(device);
  return holder?.command ?? null;
}

/** The LUNs that VMs of this host have, or will have. */
async function neededIds(host: Host): Promise<Set<string>> {
  const needed = new Set((await usersOfLuns(host)).keys());
  for (const record of host.deeds.records()) {
    const awaited = record.state === 'holder' || host.deeds.inProgress(record.lineage) !== null;
    if (awaited || isKept(host, record)) for (const { lun } of lunsOf(host.deeds, record)) needed.add(lun.id);
  }
  for (const run of host.deeds.openRuns())
    for (const { lun } of findNotes(host.deeds, run.migrationId)?.luns ?? []) needed.add(lun.id);
  return needed;
}

/** By what the target calls it, each LUN that a VM's configuration or domain has, with a VM that has it. */
async function usersOfLuns(host: Host, except: string | null = null): Promise<Map<string, string>> {
  const users = new Map<string, string>();
  for (const vm of await findVms(host.dom0, host.toolstack)) {
    if (vm.uuid !== null && vm.uuid === except) continue;
    for (const { target } of vm.disks) {
      const place = target === null ? null : await diskPlace(target).catch(notThere);
      if (place?.lun !== undefined) users.set(place.lun.id, vm.name);
    }
  }
  return users;
}

/** Whether a copy that was ceded from here may still come back. */
function isKept(host: Host, { lineage }: DeedRecord): boolean {
  return host.deeds.runs(lineage).some((run) => run.role === 'source' && run.state === 'ceded' && !run.released);
}
