import { checkMarks } from '../deed/marks.ts';
import { isSealiftError, SealiftError } from '../domain/error.ts';
import { readMark } from '../storage/mark.ts';
import { findVms } from '../xen/dom0.ts';
import type { FoundVm } from '../xen/dom0.ts';
import type { Host } from './host.ts';
import type { HostActivities } from './port.ts';
import { reservationWords } from './luns.ts';
import { examineDisks } from './vms.ts';

/**
 * Draws a VM's lineage: from here on this host holds its deed. Refused ('adoption-refused') where a record, a fence's mark
 * or a saved image says otherwise, where other hosts reported the uuid, or where one could not be asked and nobody named it to
 * be passed over; a VM that this host holds already is given as it is, unless the marks beside its disks disagree ('unknown-state').
 */
export async function adoptVm(
  host: Host,
  ask: Parameters<HostActivities['adoptVm']>[0],
): Promise<{ vmUuid: string; lineage: string; token: number }> {
  const { uuid, found, all } = await findNamed(host, ask.vm);
  const known = host.deeds.byVm(uuid);
  const { disks } = await examineDisks(found, all);
  if (known?.state === 'holder') {
    // A database that was put back says what was true once; the fence's marks say what came after.
    checkMarks(known, await Promise.all(disks.map(readMark)));
    return { vmUuid: uuid, lineage: known.lineage, token: known.token };
  }
  if (known !== null)
    throw refused(`${host.file.name} has a record of it: ${known.state}, token ${String(known.token)}`);
  if (ask.elsewhere.length > 0) throw refused(`${ask.elsewhere.join(', ')} has a VM of the same uuid`);
  const silent = ask.notAsked.filter((name) => !ask.withoutAsking.includes(name));
  if (silent.length > 0) {
    throw refused(
      `${silent.join(', ')} cannot be asked whether it holds it`,
      `ask again when it is back; or, sure that it holds no copy: --without-asking ${silent.join(' ')}`,
    );
  }
  if (found.savedImagePath !== null) throw refused('xendomains keeps a saved image of it');
  for (const disk of disks) {
    const mark = await readMark(disk).catch((error: unknown) => {
      throw isSealiftError(error) ? refused(`the mark of disk ${disk.vdev} cannot be read`) : error;
    });
    const reserved = disk.lun === undefined ? null : await reservationWords(disk.lun);
    if (reserved !== null) throw refused(`disk ${disk.vdev} is ${reserved}`);
    if (mark !== null)
      throw refused(`disk ${disk.vdev} carries a fence's mark: lineage ${mark.lineage}, token ${String(mark.token)}`);
  }
  const record = host.deeds.adopt({ vmUuid: uuid, vmName: found.name, by: ask.by, withoutAsking: ask.withoutAsking });
  return { vmUuid: uuid, lineage: record.lineage, token: record.token };

  function refused(why: string, hint?: string): SealiftError {
    const options = hint === undefined ? {} : { hint };
    return new SealiftError('adoption-refused', `${ask.vm} is not adopted: ${why}`, options);
  }
}

async function findNamed(host: Host, vm: string): Promise<{ uuid: string; found: FoundVm; all: FoundVm[] }> {
  const all = await findVms(host.dom0, host.toolstack);
  const found = all.find((one) => one.uuid === vm || one.name === vm);
  if (found === undefined) throw new SealiftError('unknown-vm', `${host.file.name} has no VM ${vm}`);
  if (found.uuid === null) {
    throw new SealiftError(
      'adoption-refused',
      `${vm} has no uuid in its configuration, so Xen draws a new one at every start`,
      {
        hint: `write uuid = "…" into ${found.configPath ?? 'its configuration'} and start it anew`,
      },
    );
  }
  return { uuid: found.uuid, found, all };
}
