import { dom0 } from '../dom0/dom0.ts';
import { notThere, succeeds } from '../dom0/system-errors.ts';
import { Deeds } from '../deed/deeds.ts';
import { explainSteps } from '../deed/explain.ts';
import { isFenced } from '../deed/disk-fence.ts';
import { proveLunFenced } from '../deed/lun-fence.ts';
import { markOf } from '../deed/marks.ts';
import { lying } from '../deed/places.ts';
import type { DiskPlaces } from '../deed/places.ts';
import type { DeedRecord } from '../deed/record.ts';
import { standing } from '../deed/standing.ts';
import { carriedStatement } from '../domain/deed-report.ts';
import type { DeedReport, DeedWord } from '../domain/deed-report.ts';
import { vmName } from '../domain/names.ts';
import { isThere } from '../storage/durable-file.ts';
import { diskPlace } from '../storage/loop.ts';
import { readMark } from '../storage/mark.ts';
import { placeNow } from '../storage/volume.ts';
import type { Place } from '../storage/volume.ts';
import { findVms } from '../xen/dom0.ts';
import type { FoundVm } from '../xen/dom0.ts';
import { domainsOf } from '../xen/gone.ts';
import type { Toolstack } from '../xen/toolstack.ts';
import { thirdHostRefusal } from './claims.ts';
import type { Onlooker } from './host.ts';
import { reservationWords, seenNow } from './luns.ts';
import { guestDisks } from './memory-image.ts';
import { findNotes } from './notes.ts';

/**
 * A host's side of a VM's deed, by name or uuid; null when it has neither record nor VM. What other hosts told
 * counts in what is possible. Changes nothing.
 */
export async function deedReport(
  host: Onlooker,
  ask: { vm: string; peers: readonly DeedWord[] },
): Promise<DeedReport | null> {
  const deeds = new Deeds(host.database, { name: host.me, sign: () => '' });
  const all = await findVms(host.dom0, host.toolstack).catch((): FoundVm[] => []);
  const named = deeds.records().find((one) => one.vmUuid === ask.vm || one.vmName === ask.vm);
  const found = all.find((one) => one.uuid !== null && (one.uuid === ask.vm || one.name === ask.vm));
  const vmUuid = named?.vmUuid ?? found?.uuid ?? null;
  if (vmUuid === null) return null;
  const record = deeds.byVm(vmUuid);
  const runs = record === null ? [] : deeds.runs(record.lineage);
  const say = inNames(host);
  const statements = record === null ? [] : deeds.statements(record.lineage).map(({ statement }) => statement);
  return {
    v: 1,
    host: host.file.name,
    identity: host.me,
    vmUuid,
    vmName: record?.vmName ?? vmName.parse(found?.name),
    record: record === null ? null : told(record),
    standing:
      record === null ? 'nothing is known here of its deed' : say(standing(record, runs, deeds.presentClaim(record))),
    runs: runs.map(({ migrationId, role, state, token, peer, root, released, collected }) => ({
      ...{ migrationId, role, state, token, peer: say(peer), root, released, collected },
    })),
    domain: await domainWord(host.toolstack, vmUuid),
    disks: await disksSeen(host, deeds, record, found),
    intents: record === null ? [] : deeds.intents(record.lineage).map(({ what, at }) => ({ what, at })),
    events:
      record === null
        ? []
        : deeds.events(record.lineage).map(({ at, who, what, detail }) => ({ at, who, what, detail: say(detail) })),
    statements: statements.flatMap((statement) => carriedStatement.safeParse(statement).data ?? []),
    steps: record === null ? [] : stepsOf(host, deeds, record, ask.peers, say),
  };
}

/** Says a line with the names that this host has for identities: its own, its peers', its operators'. */
export function inNames({ file, me }: Pick<Onlooker, 'file' | 'me'>): (text: string) => string {
  const names = [{ name: file.name, identity: me }, ...file.peer, ...file.operator];
  return (text) => names.reduce((line, { name, identity }) => line.replaceAll(identity, name), text);
}

function told(record: DeedRecord): NonNullable<DeedReport['record']> {
  const { lineage, token, state, runToken, madeToken, places, peer, wasRunning } = record;
  const whole = state === 'receiving' && madeToken === token;
  return { lineage, token, state, runToken, whole, fenced: places !== null, peer, wasRunning };
}

function stepsOf(
  host: Onlooker,
  deeds: Deeds,
  record: DeedRecord,
  peers: readonly DeedWord[],
  say: (text: string) => string,
): DeedReport['steps'] {
  const { lineage } = record;
  const shown = peers.flatMap(({ statements }) => statements);
  const steps = explainSteps(host.database, { me: host.me, lineage, shown, operators: host.file.operator });
  return steps.map(({ step, possible, why }) => {
    // A claim which the record permits may be forbidden by the hosts together.
    const third = step === 'claim' && possible ? thirdHostRefusal(peers, host.me, deeds.claimGround(lineage)) : null;
    const not = why ?? third?.message ?? null;
    return { step, possible: not === null, why: not === null ? null : say(not) };
  });
}

async function domainWord(toolstack: Toolstack, uuid: string): Promise<DeedReport['domain']> {
  try {
    return (await domainsOf(toolstack, { uuid }))[0]?.state ?? 'stopped';
  } catch {
    return 'unknown';
  }
}

async function isSomewhere(disk: Place): Promise<boolean> {
  const path = await placeNow(disk).catch(notThere);
  return path !== null && (await isThere(dom0(), path));
}

/** The disks of the copy that the record means, else those of the VM as dom0 shows it. */
async function disksSeen(
  { file }: Onlooker,
  deeds: Deeds,
  record: DeedRecord | null,
  found: FoundVm | undefined,
): Promise<DeedReport['disks']> {
  const seen: DeedReport['disks'] = [];
  for (const disk of await placesOf(deeds, record, found)) {
    const there = await isSomewhere(disk);
    const fenced = there && (await isFenced(disk, file.fence));
    seen.push({ vdev: disk.vdev, there, fenced, mark: await markWord(disk, record) });
  }
  for (const { vdev, lun } of record?.places?.luns ?? []) {
    const there = await succeeds(seenNow(lun).then((found) => found ?? Promise.reject(new Error('not there'))));
    const fenced = there && record !== null && (await succeeds(proveLunFenced(lun, markOf(record, 'source'))));
    const mark = there ? await reservationWords(lun).catch(() => 'unreadable') : null;
    seen.push({ vdev, there, fenced, mark });
  }
  return seen;
}

async function placesOf(deeds: Deeds, record: DeedRecord | null, found: FoundVm | undefined): Promise<DiskPlaces[]> {
  if (record?.places != null) return guestDisks(record.places.disks);
  if (found !== undefined) {
    const own = found.disks.flatMap(({ vdev, target, cdrom }) => (cdrom || target === null ? [] : [{ vdev, target }]));
    return Promise.all(
      own.map(async ({ vdev, target }) => {
        return lying({ vdev, ...((await diskPlace(target).catch(notThere)) ?? { path: target }) });
      }),
    );
  }
  const last = record === null ? undefined : deeds.runs(record.lineage).at(-1);
  return last === undefined ? [] : guestDisks(findNotes(deeds, last.migrationId)?.disks ?? []).map(lying);
}

async function markWord(disk: DiskPlaces, record: DeedRecord | null): Promise<string | null> {
  try {
    const mark = await readMark(disk);
    if (mark === null) return null;
    const ours = mark.lineage === record?.lineage;
    return `${mark.role} ${String(mark.token)}${ours ? '' : `, of lineage ${mark.lineage}`}`;
  } catch {
    return 'unreadable';
  }
}
