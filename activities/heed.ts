import { join } from 'node:path';
import { fence, proveFenced } from '../deed/fence.ts';
import { markOf } from '../deed/marks.ts';
import { lunPlace, lying } from '../deed/places.ts';
import type { FencePlaces } from '../deed/places.ts';
import type { DeedRecord, DeedRun } from '../deed/record.ts';
import type { CarriedStatement } from '../domain/deed-report.ts';
import { isSealiftError, SealiftError } from '../domain/error.ts';
import { crossingDisks } from '../domain/manifest.ts';
import type { Claim, Signed } from '../domain/statement.ts';
import { awaitGone, domainsOf } from '../xen/gone.ts';
import { recordNamed } from './by-hand.ts';
import { dropArrivals } from './arrival.ts';
import { pinnedOperator } from './claims.ts';
import { endDeparture } from './departure.ts';
import { asideRoot, copyName } from './folders.ts';
import type { Host } from './host.ts';
import { noteGiven } from './held-luns.ts';
import { guestDisks, withoutLostImage } from './memory-image.ts';
import { emptyNotes, findNotes, lunsOf } from './notes.ts';
import type { RunNotes } from './notes.ts';
import { foundNotes } from './source-vm.ts';
import { examineDisks, findVm } from './vms.ts';
import { ending, inTurn } from './vm-turn.ts';

/** How long a destroyed domain may be dying. */
const dyingLimitMs = 30_000;

/**
 * Gives up what an operator has claimed for another host: first the right, durably, then any domain of the VM, at once, then its fence. What
 * was written here stays on the fenced copy. Does nothing for a VM that this host has no record of. Throws `unknown-operator`, `deed-refused`,
 * and what stopping and fencing throw, which are tried again when this is asked again.
 */
async function heedClaim(host: Host, claim: Signed<Claim>): Promise<void> {
  const { lineage, from, to } = claim.body;
  if (to === host.identity.name || host.deeds.byLineage(lineage) === null) return;
  const open = host.deeds.inProgress(lineage);
  const { record, news } = host.deeds.heed(claim, pinnedOperator(host, from));
  // a sender has the disks open
  if (open !== null) await host.jobs.stop(open.migrationId);
  if (news) host.log.warn({ vm: record.vmName, token: record.token }, 'an operator claimed it for another host');
  if (isPresent(record, claim)) await quell(host, record);
  // A guest was on its way here, and will not come.
  if (record.state === 'none') await inTurn(host, lineage, () => dropArrivals(host, record));
}

/** Heeds the newest claim on a VM among those that a person brought. Throws `deed-refused` when there is none. */
export async function heedByHand(
  host: Host,
  { vm, shown }: { vm: string; shown: readonly CarriedStatement[] },
): Promise<void> {
  const { lineage, vmName } = recordNamed(host, vm);
  const claims = shown.flatMap(({ body, signature }) => (body.kind === 'claim' ? [{ body, signature }] : []));
  const claim = claims.filter(({ body }) => body.lineage === lineage).sort((a, b) => b.body.token - a.body.token)[0];
  if (claim === undefined) throw new SealiftError('deed-refused', `no claim of ${vmName} is shown`);
  await heedClaim(host, claim);
}

/** All claims that this host has made or heeded, for hosts that have not heard of them. */
export function claimsKept(host: Pick<Host, 'deeds'>): Signed<Claim>[] {
  return host.deeds
    .records()
    .flatMap(({ lineage }) =>
      host.deeds
        .statements(lineage)
        .flatMap(({ statement: { body, signature } }) => (body.kind === 'claim' ? [{ body, signature }] : [])),
    );
}

/** The trusted hosts to or from which a VM has gone whose records are here: one of them may have been made its holder meanwhile. */
export function hostsToAsk(host: Pick<Host, 'deeds' | 'file'>): string[] {
  const peers = new Set(host.deeds.runs().map(({ peer }) => peer));
  return host.file.peer.filter(({ identity }) => peers.has(identity)).map(({ name }) => name);
}

/**
 * Heeds claims that another host told, as far as they concern this one and are newer than its record; says in the log what could not be
 * done.
 */
export async function heedClaims(host: Host, claims: readonly Signed<Claim>[]): Promise<void> {
  for (const claim of claims) {
    try {
      await heedClaim(host, claim);
    } catch (error) {
      if (!isSealiftError(error)) throw error;
      const { type, message } = error;
      // older than what has happened since, or between other hosts
      const level = type === 'deed-refused' ? 'debug' : 'error';
      host.log[level]({ vm: claim.body.vmName, type, message }, 'a claim is not heeded');
    }
  }
}

function isPresent(record: DeedRecord, { body }: Signed<Claim>): boolean {
  return record.state === 'ceded' && record.token === body.token;
}

/** Stops and fences a copy that has no right to run. */
async function quell(host: Host, record: DeedRecord): Promise<void> {
  const { lineage, vmUuid, vmName, token } = record;
  const run = host.deeds.runs(lineage).find((one) => one.token === token);
  if (run === undefined) throw new SealiftError('unknown-state', `the run of token ${String(token)} is not kept`);
  await inTurn(host, lineage, async () => {
    const copy = run.collected ? null : await copyHere(host, record, run);
    if (copy === null) return;
    host.deeds.setNotes(run.migrationId, copy.notes);
    await endDeparture(record);
    const before = await domainsOf(host.toolstack, { uuid: vmUuid });
    if (before.length > 0) {
      const { intent } = host.deeds.mayQuell(lineage, 'stop', copy.places);
      await ending(host, intent, async (env) => {
        for (const domain of before) await host.toolstack.destroy(domain, { env });
        const end = await awaitGone(host.toolstack, { uuid: vmUuid, before }, { limitMs: dyingLimitMs });
        if (end !== 'gone') throw new SealiftError('disk-busy', `${vmName} was destroyed and is still dying`);
      });
    }
    const { intent, places } = host.deeds.mayQuell(lineage, 'fence', copy.places);
    await ending(host, intent, async (env) => {
      const there = await withoutLostImage(places);
      noteGiven(host, there.luns);
      await fence(there, markOf(record, 'source'), host.file.fence, { env });
      await proveFenced(there, markOf(record, 'source'), host.file.fence);
    });
  });
}

/** Where the copy lies and how it would be started again; null when there is none. */
async function copyHere(
  host: Host,
  record: DeedRecord,
  run: DeedRun,
): Promise<{ places: FencePlaces; notes: RunNotes } | null> {
  const kept = keptNotes(host, record);
  if (record.places !== null && kept !== null) return { places: record.places, notes: kept };
  const seen = await findVm(host, record.vmUuid).catch((error: unknown) => {
    if (isSealiftError(error) && error.type === 'unknown-vm') return null;
    throw error;
  });
  if (seen === null) return null;
  const { found, all } = seen;
  const examined = (await examineDisks(found, all)).disks;
  // A LUN whose target does not answer now is one all the same.
  const known = lunsOf(host.deeds, record);
  const disks = examined.map((disk) => ({
    ...disk,
    ...(disk.problem === null ? {} : known.find(({ vdev, path }) => vdev === disk.vdev && path === disk.path)),
  }));
  const notes = await foundNotes(host, { found, disks }, record.vmUuid);
  const { configPath, autostartPath, savedImagePath } = found;
  const asideFolder = join(asideRoot(host.file), copyName(run));
  const places = {
    disks: crossingDisks(disks).map(lying),
    luns: notes.luns.map(lunPlace),
    configPath,
    autostartPath,
    savedImagePath,
    asideFolder,
  };
  return { places, notes };
}

/** What the last run that knew the VM's disks and configuration knew of them. */
function keptNotes(host: Host, { lineage }: DeedRecord): RunNotes | null {
  for (const { migrationId } of host.deeds.runs(lineage).reverse()) {
    const notes = findNotes(host.deeds, migrationId);
    if (notes?.config == null || notes.disks.length + notes.luns.length === 0) continue;
    const { config, autostart, configPath, restDigest, disks, luns } = notes;
    return { ...emptyNotes, config, autostart, configPath, restDigest, disks: guestDisks(disks), luns };
  }
  return null;
}
