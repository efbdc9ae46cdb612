import { setTimeout as sleep } from 'node:timers/promises';
import { isHeldHere, takeLun } from '../deed/lun-fence.ts';
import { markOf } from '../deed/marks.ts';
import type { FencePlaces } from '../deed/places.ts';
import type { DeedRecord } from '../deed/record.ts';
import { dom0 } from '../dom0/dom0.ts';
import { notThere } from '../dom0/system-errors.ts';
import { SealiftError } from '../domain/error.ts';
import { getFact, setFact } from '../storage/facts.ts';
import { renewName } from '../storage/lun.ts';
import type { Lun, ReachedLun } from '../storage/lun.ts';
import type { Environment } from '../storage/lvm.ts';
import { findVms } from '../xen/dom0.ts';
import type { Host } from './host.ts';
import { seenNow } from './luns.ts';
import { lunsOf } from './notes.ts';
import type { RunNotes } from './notes.ts';
import { inTurn } from './vm-turn.ts';

/** How often a host looks whether it still has the LUNs of its VMs. */
const watchMs = 30_000;

/**
 * Makes the LUNs of a VM that is to start this host's, but for those that were just `taken`, under the names that its configuration has for them. Those that were never fenced stay
 * as they are. Throws 'unknown-state' when a name leads to another disk, what `takeLun` throws.
 */
export async function holdLuns(
  host: Host,
  record: DeedRecord,
  luns: RunNotes['luns'],
  { env, taken = [] }: { env: Environment; taken?: ReachedLun[] },
): Promise<void> {
  const claimed = host.deeds.presentClaim(record) !== null;
  for (const { vdev, path, lun } of luns) {
    if (getFact(host.state.database, takenFact(lun)) !== record.lineage) continue;
    const known = taken.find((one) => one.lun.id === lun.id);
    const reached = known ?? (await takeLun(lun, markOf(record, 'source'), { env, claimed }));
    await renewName(path, reached);
    if (await leadsTo(path, reached)) continue;
    throw new SealiftError('unknown-state', `disk ${vdev}: its name leads to another disk than its LUN`, {
      hint: 'correct the configuration: name the LUN as in /dev/disk/by-id',
    });
  }
}

async function leadsTo(path: string, { device }: ReachedLun): Promise<boolean> {
  return (await dom0().realpath(path).catch(notThere)) === device;
}

/**
 * Sees, now and then, that this host has the LUNs of its VMs: after a boot or a lost session the target may not know it any more, or may have
 * forgotten the reservation itself. Gives each its name and its reservation again; says in the log what could not be done. Never throws.
 */
export async function watchLuns(host: Host): Promise<void> {
  const { signal } = host.leaving;
  for (;;) {
    await sleep(watchMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    await regainAll(host);
  }
}

/** The same once. Never throws. */
export async function regainAll(host: Host): Promise<void> {
  for (const record of host.deeds.records()) {
    try {
      await regainLuns(host, record);
    } catch (error) {
      if (host.leaving.signal.aborted) return;
      host.log.error({ vm: record.vmName, err: error }, 'a LUN of it is not regained');
    }
  }
}

async function regainLuns(host: Host, record: DeedRecord): Promise<void> {
  for (const { path, lun } of isSetUp(record) ? lunsOf(host.deeds, record) : []) {
    if (getFact(host.state.database, takenFact(lun)) !== record.lineage) continue;
    if (!(await isOurs(lun, path))) await inTurn(host, record.lineage, () => regain(host, record.vmUuid, path));
  }
}

async function regain(host: Host, vmUuid: string, path: string): Promise<void> {
  const record = host.deeds.byVm(vmUuid);
  if (record === null || !isSetUp(record)) return;
  // Who uses the LUN otherwise has taken it out of the VM's configuration.
  const vm = (await findVms(host.dom0, host.toolstack)).find(({ uuid }) => uuid === vmUuid);
  if (vm?.disks.some(({ target }) => target === path) !== true) return;
  await holdLuns(
    host,
    record,
    lunsOf(host.deeds, record).filter((one) => one.path === path),
    { env: {} },
  );
  host.log.warn({ vm: record.vmName }, 'a LUN was reserved for this host again');
}

function isSetUp({ state, places }: DeedRecord): boolean {
  return state === 'holder' && places === null;
}

/** Whether this host has the LUN, under its name. */
async function isOurs(lun: Lun, path: string): Promise<boolean> {
  const reached = await seenNow(lun);
  return reached !== null && (await leadsTo(path, reached)) && isHeldHere(reached);
}

/** From its unfence to its fence, a LUN is this host's to reserve. */
export function noteTaken(host: Host, luns: FencePlaces['luns'], lineage: string): void {
  for (const { lun } of luns) setFact(host.state.database, takenFact(lun), lineage);
}

/** The opposite; before the fence. */
export function noteGiven(host: Host, luns: FencePlaces['luns']): void {
  for (const { lun } of luns) setFact(host.state.database, takenFact(lun), '');
}

function takenFact({ id }: Lun): string {
  return `lun ${id}`;
}
