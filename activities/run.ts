import type { ReceiveAsk } from '../deed/destination.ts';
import { checkMarks } from '../deed/marks.ts';
import { SealiftError } from '../domain/error.ts';
import type { DiskShape } from '../domain/manifest.ts';
import type { MigrationInput } from '../domain/migration.ts';
import type { Offer, RunKey, Signed } from '../domain/statement.ts';
import type { DestinationSurvey } from '../domain/survey.ts';
import { readMark } from '../storage/mark.ts';
import { domainsOf } from '../xen/gone.ts';
import { dropArrivals, dropArrivalsOf } from './arrival.ts';
import { runName } from './folders.ts';
import { peerIdentity } from './host.ts';
import type { Host } from './host.ts';
import { planPlaces, prepareDisks } from './landing-disks.ts';
import { checkReserved, leaveTargets } from './luns.ts';
import { imagePath, imageShape } from './memory-image.ts';
import { findNotes } from './notes.ts';
import type { RunNotes } from './notes.ts';
import type { RunState } from './port.ts';
import { drawRunKey, dropEndedSecrets, dropRunSecret, dropSecret } from './run-keys.ts';
import { foundNotes, inheritedNotes } from './source-vm.ts';
import { lowerEndedTunnels, lowerRunTunnel } from './tunnel.ts';
import { inTurn } from './vm-turn.ts';
import { examineDisks, findVm } from './vms.ts';

/** Source: opens the run of a migration, or gives the one that is open. What crosses is written down here, once. */
export async function openRun(
  host: Host,
  ask: {
    input: Pick<MigrationInput, 'migrationId' | 'vmUuid' | 'vmName' | 'method'> & { keepMemory?: boolean | undefined };
    to: string;
    supersede?: string | undefined;
  },
): Promise<{ offer: Signed<Offer>; run: RunState['run'] }> {
  const { migrationId, vmUuid } = ask.input;
  const to = peerIdentity(host.file, ask.to);
  const known = host.deeds.hasRun(migrationId) && findNotes(host.deeds, migrationId) !== null;
  const notes = known ? null : (inheritedNotes(host, vmUuid) ?? (await sourceNotes(host, ask.input)));
  if (notes !== null) {
    // A database that was restored from a copy must not offer what a later fence guards.
    checkMarks(host.deeds.byVm(vmUuid), await Promise.all(notes.disks.map(readMark)));
    await checkReserved(host.deeds.byVm(vmUuid), notes.luns);
  }
  // One transaction: a run that fenced the VM must not end without another that knows what it has moved aside.
  const offer = host.state.database.transaction(() => {
    if (ask.supersede !== undefined) refuseHanded(host, ask.supersede);
    const opened = host.deeds.open({ ...ask.input, to, supersede: ask.supersede });
    if (notes !== null) {
      host.own.open(
        runName(opened.body),
        notes.disks.map(({ sizeBytes }, disk) => ({ disk, sizeBytes })),
      );
      host.deeds.setNotes(migrationId, notes);
    }
    return opened;
  });
  if (ask.supersede !== undefined) {
    await host.jobs.stop(ask.supersede);
    await lowerEndedTunnels(host, offer.body.lineage);
  }
  return { offer, run: host.deeds.byMigration(migrationId).run.state };
}

/**
 * Destination: reserves for the offered run. Draws the run's key, makes its disks under private names, or takes over those
 * of an abandoned landing of the same VM with what their journal holds. A repetition gives the same key.
 */
export async function receiveRun(
  host: Host,
  ask: {
    offer: Signed<Offer>;
    placement: DestinationSurvey['placement'];
    disks: DiskShape[];
    memoryBytes?: number | undefined;
    from: string;
  },
): Promise<{ key: Signed<RunKey> }> {
  const offer = ask.offer.body;
  const from = peerIdentity(host.file, ask.from);
  const wanted = { ...ask, offer };
  const received = { offer: ask.offer, from, places: await planPlaces(host, wanted) };
  const known = host.deeds.hasRun(offer.migrationId);
  const key = known
    ? host.deeds.receive({ ...received, recipient: ownRecipient(host, offer) })
    : await inTurn(host, offer.lineage, () => receiveNew(host, received));
  // Those that this one takes the place of.
  await dropEndedSecrets(host, offer.lineage);
  await lowerEndedTunnels(host, offer.lineage);
  const { record, run } = host.deeds.byMigration(offer.migrationId);
  const { places } = run;
  // By an earlier run.
  if (findNotes(host.deeds, offer.migrationId) === null)
    await inTurn(host, offer.lineage, () => dropArrivals(host, record));
  if (places !== null && findNotes(host.deeds, offer.migrationId) === null) await prepareDisks(host, wanted, places);
  return { key };
}

/** What this host's own record says of a run. Throws `unknown-run`. */
export async function runState(host: Host, migrationId: string): Promise<RunState> {
  const { record, run } = host.deeds.byMigration(migrationId);
  const [domain] = await domainsOf(host.toolstack, { uuid: record.vmUuid });
  return {
    deedState: record.state,
    token: run.token,
    run: run.state,
    domain: domain?.state ?? 'stopped',
    fenced: record.places !== null,
  };
}

/** Destination: the run's landing takes no more frames; its chunks and its journal stay. */
export async function closeLanding(host: Host, migrationId: string): Promise<void> {
  if (!host.deeds.hasRun(migrationId)) return;
  const run = host.deeds.closeLanding(migrationId);
  await lowerRunTunnel(host, migrationId);
  await host.landing.forget(runName(run));
  await dropRunSecret(host, run);
  await dropArrivalsOf(host, migrationId);
  if (run.state !== 'accepted') await leaveTargets(host, findNotes(host.deeds, migrationId)?.luns ?? []);
}

/** A guest that only waits, since its memory is at the destination of its run, is that run's to let go on. */
function refuseHanded(host: Host, migrationId: string): void {
  if (!host.deeds.hasRun(migrationId)) return;
  const { record, run } = host.deeds.byMigration(migrationId);
  const departure = findNotes(host.deeds, migrationId)?.departure ?? null;
  if (run.role !== 'source' || run.state !== 'open' || departure === null) return;
  throw new SealiftError('run-open', `the guest of ${record.vmName} is being handed over by migration ${migrationId}`, {
    hint: `abort it first: sealift abort ${record.vmName}`,
  });
}

async function sourceNotes(
  host: Host,
  { vmUuid, migrationId, method, keepMemory }: Parameters<typeof openRun>[1]['input'],
): Promise<RunNotes> {
  const { found, all } = await findVm(host, vmUuid);
  const { disks, concerns } = await examineDisks(found, all);
  const notes = await foundNotes(host, { found, disks }, vmUuid);
  const refused = concerns.find((concern) => concern.severity === 'refuses');
  if (refused !== undefined) throw new SealiftError('preflight-refused', `${found.name}: ${refused.text}`);
  if (keepMemory !== true || method === 'live') return notes;
  const image = { ...imageShape(found), path: imagePath(host.file, migrationId), fresh: true };
  return { ...notes, disks: [...notes.disks, image] };
}

/** With a key of its own, whose secret does not stay when the run is refused. */
async function receiveNew(host: Host, ask: Omit<ReceiveAsk, 'recipient'>): Promise<Signed<RunKey>> {
  const recipient = await drawRunKey(host);
  let used: string | null = null;
  try {
    const key = host.deeds.receive({ ...ask, recipient });
    used = key.body.recipient;
    return key;
  } finally {
    if (used !== recipient) await dropSecret(host, recipient);
  }
}

/** The key that this host signed for the run already. */
function ownRecipient(host: Host, offer: Offer): string {
  for (const { statement } of host.deeds.statements(offer.lineage)) {
    const { body } = statement;
    if (body.kind === 'key' && body.token === offer.token && body.from === host.identity.name) return body.recipient;
  }
  throw new SealiftError('unknown-state', `the key of migration ${offer.migrationId} is not kept`);
}
