import type { DeedRecord } from '../deed/record.ts';
import type { CarriedStatement } from '../domain/deed-report.ts';
import { SealiftError } from '../domain/error.ts';
import type { Deed, Signed } from '../domain/statement.ts';
import { fenceVm } from './fencing.ts';
import { takeOver } from './handover.ts';
import { giveBack, givenBack, takeBack } from './hold.ts';
import type { Host } from './host.ts';
import { abortRun } from './abort.ts';
import { startVm, stopVm } from './power.ts';
import { runToAbort } from './vms.ts';

/**
 * What a person does on a host itself when no workflow can: whole steps, each of which may be given again. `vm` is a name or uuid.
 * They throw what the steps throw.
 */
export interface ByHand {
  vm: string;
  /** Statements that another host has signed, as a person brought them. */
  shown: readonly CarriedStatement[];
}

/** Leaves the VM here: ends the run that would take it away, or the return that would, and restores its power state. */
export async function abortByHand(host: Host, { vm }: Pick<ByHand, 'vm'>): Promise<{ restarted: boolean }> {
  const record = recordNamed(host, vm);
  const run = runToAbort(host, record);
  if (run === null) throw new SealiftError('unknown-run', `${record.vmName} has nothing open on ${host.file.name}`);
  return abortRun(host, run.migrationId);
}

/** Takes the right that another host has signed over to this one, by a move or by a give-back, and starts the VM. */
export async function takeByHand(host: Host, { vm, shown, start }: ByHand & { start: boolean }): Promise<void> {
  const record = recordNamed(host, vm);
  const deed = deedsFor(host, record, shown).at(-1);
  if (deed === undefined) {
    throw new SealiftError(
      'deed-refused',
      `no deed of ${record.vmName} that is signed over to ${host.file.name} is shown`,
      {
        hint: 'bring what the other host says: sealift deed show VM --file HOST-FILE --json there, --peer FILE here',
      },
    );
  }
  // a deed without a root comes back
  const { migrationId } = deed.body.root === null ? takeBack(host, deed) : await takeOver(host, deed);
  await startVm(host, { migrationId, start });
}

/**
 * Gives the right back to the host that the VM came from, also when it was never accepted here: shuts the guest down, fences the copy,
 * signs. Throws `guest-stuck` when the guest is still there after `graceMs`; the return stays open then.
 */
export async function giveBackByHand(host: Host, { vm, shown, graceMs }: ByHand & { graceMs: number }): Promise<void> {
  const record = recordNamed(host, vm);
  const { lineage, peer, vmName } = record;
  const done = givenBack(host, record);
  if (done !== undefined) {
    await giveBack(host, done.migrationId);
    return;
  }
  if (peer === null)
    throw new SealiftError('revert-refused', `the VM cannot go back: ${vmName} is ${host.file.name}'s own`);
  const { migrationId } = host.deeds.beginReturn(lineage, peer, deedsFor(host, record, shown).at(-1)).run;
  const stopped = await stopVm(host, { migrationId, graceMs }, new AbortController().signal);
  if (stopped.outcome === 'stuck') {
    throw new SealiftError('guest-stuck', `${vmName} is not given back: ${stopped.detail}`, {
      hint: `xl destroy ${vmName} pulls its plug, then give the same command again; sealift deed abort ${vmName} leaves it here`,
    });
  }
  await fenceVm(host, migrationId);
  await giveBack(host, migrationId);
}

/** The record of a VM by name or uuid. Throws `not-adopted`. */
export function recordNamed(host: Host, vm: string): DeedRecord {
  const named = host.deeds.records().find((one) => one.vmUuid === vm || one.vmName === vm);
  const record = named === undefined ? null : host.deeds.byVm(named.vmUuid);
  if (record === null) throw new SealiftError('not-adopted', `${host.file.name} has no record of a VM ${vm}`);
  return record;
}

/** Deeds to this host, shown or kept, by their tokens; those that are too old are refused by the record. */
function deedsFor(host: Host, { lineage, token }: DeedRecord, shown: readonly CarriedStatement[]): Signed<Deed>[] {
  const known = [...host.deeds.statements(lineage).map(({ statement }) => statement), ...shown];
  const deeds = known.flatMap(({ body, signature }) => (body.kind === 'deed' ? [{ body, signature }] : []));
  return deeds
    .filter(({ body }) => body.lineage === lineage && body.to === host.identity.name && body.token >= token)
    .sort((a, b) => a.body.token - b.body.token);
}
