import { isSealiftError, SealiftError } from '../domain/error.ts';
import { readMark } from '../storage/mark.ts';
import type { Host } from './host.ts';
import { examineDisks, findVm } from './vms.ts';
import { findVms } from '../xen/dom0.ts';

/**
 * Draws a VM's lineage: from here on this host holds its deed. Refused ('adoption-refused') where a record, a fence's mark
 * or a saved image says otherwise, or where other hosts reported the uuid; a VM that this host holds already is given as it is.
 */
export async function adoptVm(
  host: Host,
  ask: { vm: string; by: string; elsewhere: string[] },
): Promise<{ vmUuid: string; lineage: string; token: number }> {
  const uuid = await uuidOf(host, ask.vm);
  const known = host.deeds.byVm(uuid);
  if (known?.state === 'holder') return { vmUuid: uuid, lineage: known.lineage, token: known.token };
  if (known !== null)
    throw refused(`${host.file.name} has a record of it: ${known.state}, token ${String(known.token)}`);
  if (ask.elsewhere.length > 0) throw refused(`${ask.elsewhere.join(', ')} has a VM of the same uuid`);
  const { found, all } = await findVm(host, uuid);
  if (found.savedImagePath !== null) throw refused('xendomains keeps a saved image of it');
  const { disks } = await examineDisks(found, all);
  for (const { vdev, path } of disks) {
    const mark = await readMark(path).catch((error: unknown) => {
      throw isSealiftError(error) ? refused(`the mark beside disk ${vdev} cannot be read`) : error;
    });
    if (mark !== null)
      throw refused(`disk ${vdev} carries a fence's mark: lineage ${mark.lineage}, token ${String(mark.token)}`);
  }
  const record = host.deeds.adopt({ vmUuid: uuid, vmName: found.name, by: ask.by });
  return { vmUuid: uuid, lineage: record.lineage, token: record.token };

  function refused(why: string): SealiftError {
    return new SealiftError('adoption-refused', `${ask.vm} is not adopted: ${why}`);
  }
}

async function uuidOf(host: Host, vm: string): Promise<string> {
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
  return found.uuid;
}
