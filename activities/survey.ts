import { dom0 } from '../dom0/dom0.ts';
import { failedQuestion, note, refusal, warning } from '../domain/concern.ts';
import { isSealiftError } from '../domain/error.ts';
import { errorKind } from '../domain/error-types.ts';
import { crossingDisks, isMemory } from '../domain/manifest.ts';
import type { DiskShape } from '../domain/manifest.ts';
import type { Method } from '../domain/names.ts';
import type { QuestionContent } from '../domain/question.ts';
import type { Concern, DestinationSurvey, HostCard, LinkSurvey, SourceSurvey } from '../domain/survey.ts';
import { fenceKind } from '../deed/fence.ts';
import type { DeedRecord } from '../deed/record.ts';
import type { Pool } from '../domain/host-file.ts';
import { poolSpace } from '../storage/pool.ts';
import { measureRoundTrip } from '../transport/round-trip.ts';
import { confConcerns, runningConcerns } from '../xen/concerns.ts';
import { joinVms } from '../xen/dom0.ts';
import type { Domain } from '../xen/toolstack.ts';
import { olderXen } from '../xen/version.ts';
import { readXlConf } from '../xen/xl-conf.ts';
import { isArrival } from './arrival.ts';
import { hostCard } from './card.ts';
import { crossingConfig } from './crossing-config.ts';
import { peerName } from './host.ts';
import type { Host } from './host.ts';
import { liveConcerns, liveConcernsThere } from './live-survey.ts';
import { lunConcernsThere } from './luns.ts';
import { mebibytes } from './mebibytes.ts';
import { memoryConcerns, neededBytes } from './memory.ts';
import { guestDisks } from './memory-image.ts';
import { cpuConcerns, memoryConcernsThere, surveyMemory } from './memory-survey.ts';
import { choosePool, reservedBytes } from './pools.ts';
import { askDestination } from './question.ts';
import { sourceVm } from './source-vm.ts';
import { claimConcerns } from './told-claims.ts';
import { tunnelConcerns } from './tunnel.ts';
import { concernsOf } from './vms.ts';

/** Looks at the VM where it is, or where its own open run has fenced it: nothing is changed. Throws `unknown-vm`. */
export async function surveySource(
  host: Host,
  ask: {
    vmUuid: string;
    to: string;
    method: Method;
    keepMemory?: boolean | undefined;
    migrationId?: string | undefined;
    supersede?: string | undefined;
  },
): Promise<SourceSurvey> {
  const [card, { found, disks, concerns, fenced }] = await Promise.all([hostCard(host), sourceVm(host, ask.vmUuid)]);
  const record = host.deeds.byVm(ask.vmUuid);
  if (record === null) {
    concerns.push(
      refusal(
        'not-adopted',
        `${found.name} is not adopted on ${host.file.name}`,
        `sealift vm adopt ${found.name} --host ${host.file.name}`,
      ),
    );
  } else if (record.state !== 'holder') {
    concerns.push(
      refusal('deed-refused', `${host.file.name} does not hold the deed of ${found.name}: it is ${record.state}`),
    );
  }
  if (record !== null) {
    concerns.push(...openRunConcerns(host, record, ask), ...wayBackConcerns(host, record));
    concerns.push(...claimConcerns(host, record.lineage));
  }
  concerns.push(...concernsOf(found), ...(await dom0Concerns(host)));
  // Of a dying domain libxl forgets one device after the other.
  if (found.domid !== null)
    concerns.push(...runningConcerns(found.running, found.state === 'dying' ? null : found.config));
  if (found.config !== null) concerns.push(...confConcerns(found.config, host.file.name, await readXlConf(host.dom0)));
  if (found.savedImagePath !== null)
    concerns.push(refusal('saved-image', 'xendomains keeps a saved image of it, which is older than its disks'));
  for (const disk of disks) {
    // A volume is fenced by its name, a LUN at its target.
    if (disk.problem !== null || fenced || (disk.volume ?? disk.lun) !== undefined) continue;
    if (disk.loop !== undefined && host.file.fence !== 'immutable') {
      const text = `disk ${disk.vdev}: a loop device is fenced by an immutable file only`;
      concerns.push(refusal('fence-failed', text, `set fence = "immutable" in the file of ${host.file.name}`));
    } else if (host.file.fence === 'immutable' && (await fenceKind(disk.path)) !== 'immutable') {
      concerns.push(refusal('fence-failed', `disk ${disk.vdev}: its file system cannot make files immutable`));
    }
  }
  if (ask.method === 'staged' && host.file.ssh === undefined) {
    concerns.push(
      refusal('staged-unready', `${host.file.name} has no [ssh] in its file`, 'see docs/hosts.md, "staged"'),
    );
  }
  if (ask.method === 'tunnel') concerns.push(...(await tunnelConcerns(host)));
  const shapes: DiskShape[] = disks.map(({ vdev, sizeBytes, sectorBytes, lun }) => ({
    ...{ vdev, sizeBytes, sectorBytes },
    ...(lun === undefined ? {} : { lun: lun.id }),
  }));
  if (ask.method === 'live') concerns.push(...(await liveConcerns(host, found, shapes)));
  else if (ask.keepMemory === true && !shapes.some(isMemory)) {
    const memory = await surveyMemory(host, found, ask.migrationId);
    shapes.push(memory.image);
    concerns.push(...memory.concerns);
  }
  return {
    host: card,
    vmUuid: ask.vmUuid,
    vmName: found.name,
    state: found.state,
    memoryBytes: neededBytes(found),
    disks: shapes,
    deed:
      record === null
        ? null
        : { lineage: record.lineage, token: record.token, state: record.state, runToken: record.runToken },
    concerns,
  };
}

/** Looks at the destination: names, space and memory. What the cards of both hosts tell is joined by the plan. */
export async function surveyDestination(
  host: Host,
  ask: { source: SourceSurvey; method: Method; pool?: string | undefined },
): Promise<DestinationSurvey> {
  const { source } = ask;
  const [card, domains] = await Promise.all([hostCard(host), host.toolstack.list()]);
  const concerns: Concern[] = [...xenConcerns(card, source.host), ...(await dom0Concerns(host))];
  // One that has come with its memory already, in an attempt before this one, takes no more.
  const isHere = domains.some((domain) => domain.uuid === source.vmUuid && isArrival(host, domain));
  const memoryBytes = source.state === 'stopped' || isHere ? 0 : source.memoryBytes;
  concerns.push(...(await memoryConcerns(host, { ...source, memoryBytes }, domains)));
  const peer = host.file.peer.find((one) => one.name === source.host.name);
  if (peer !== undefined && peer.identity !== source.host.identity) {
    concerns.push(
      refusal('unknown-peer', `${source.host.name} shows another identity than the one ${host.file.name} trusts`),
    );
  }
  concerns.push(...(await takenConcerns(host, source, domains)));
  const pool = choosePool(host, ask.pool);
  const older = olderXen(card.xenVersion, source.host.xenVersion);
  concerns.push(
    ...(await spaceConcerns(host, pool, source)),
    ...(await memoryConcernsThere(host, { card, source, older })),
    ...(ask.method === 'tunnel' ? await tunnelConcerns(host) : []),
    ...(ask.method === 'live' ? liveConcernsThere(host, { card, source, older }) : []),
    ...(ask.method === 'live' || source.disks.some(isMemory) ? cpuConcerns(card, source) : []),
  );
  concerns.push(...(await lunConcernsThere(host, source)));
  const placed = crossingDisks(guestDisks(source.disks));
  return { host: card, placement: placed.map(({ vdev }) => ({ vdev, pool: pool.name })), concerns };
}

/**
 * Measures the round trip to the destination's landing, and asks it past Temporal what it has against the VM's configuration.
 * A landing that does not answer is a concern, not an error; what the destination itself may answer in a while is one.
 */
export async function surveyLink(
  host: Host,
  ask: { vmUuid: string; method: Method; destination: HostCard },
): Promise<LinkSurvey> {
  const { landing, name } = ask.destination;
  const peer = host.file.peer.find((one) => one.name === name);
  const content = peer === undefined ? null : await questionOf(host, ask.vmUuid);
  const server = ask.method === 'staged' ? serverConcerns(host, ask.destination) : [];
  try {
    const rttMs = await measureRoundTrip(landing);
    if (peer === undefined || content === null) return { rttMs, concerns: server };
    const { changes, concerns } = await askDestination(host, { landing, identity: peer.identity }, content);
    const told = changes.map((line) => note('config-change', line));
    return { rttMs, answered: true, concerns: [...server, ...concerns, ...told] };
  } catch (error) {
    if (!isSealiftError(error)) throw error;
    if (error.type !== 'landing-away' && errorKind(error.type).retryable === true) throw error;
    return { rttMs: 0, concerns: [...server, failedQuestion(error)] };
  }
}

/**
 * `staged`: what the destination says of its SSH server is no reason to send anything there; but where it says something else than
 * is pinned here, the container would not be found. Addresses may differ: one host may reach it by another way than others do.
 */
function serverConcerns(host: Host, { name, staging }: HostCard): Concern[] {
  const { name: here, peer } = host.file;
  const pinned = peer.find((one) => one.name === name)?.ssh;
  if (pinned === undefined) {
    const remedy = `on ${name}: sealift host show; on ${here}: the sealift host trust that it prints, with --ssh`;
    return [refusal('staged-unready', `${here} has no ssh of ${name} in its file`, remedy)];
  }
  if (staging === null) return [];
  const others = [
    ...(staging.user === pinned.user ? [] : ['user']),
    ...(staging.folder === pinned.folder ? [] : ['folder']),
    ...(staging.hostKey === pinned.host_key ? [] : ['host key']),
  ];
  if (others.length === 0) return [];
  const text = `${name} takes containers with another ${others.join(' and ')} than ${here} has pinned for it`;
  return [refusal('staged-unready', text, `compare [staging] on ${name} with [peer.ssh] on ${here}`)];
}

/** What a trusted destination is shown of the VM; null where the survey of the source refuses the move anyway. */
async function questionOf(host: Host, vmUuid: string): Promise<QuestionContent | null> {
  if (host.deeds.byVm(vmUuid)?.state !== 'holder') return null;
  const { found } = await sourceVm(host, vmUuid);
  try {
    const disks = found.disks.filter((disk) => !disk.cdrom && disk.target !== null).map((disk) => disk.vdev);
    return { vmUuid, vmName: found.name, config: await crossingConfig(host, found, vmUuid), disks };
  } catch (error) {
    if (isSealiftError(error) && error.type === 'config-syntax') return null;
    throw error;
  }
}

/** A second, different move of the VM while one is open, unless it names that one. */
function openRunConcerns(
  host: Host,
  record: DeedRecord,
  ask: { migrationId?: string | undefined; supersede?: string | undefined },
): Concern[] {
  const open = host.deeds.inProgress(record.lineage);
  if (open === null || open.migrationId === ask.migrationId || open.migrationId === ask.supersede) return [];
  const { vmName } = record;
  return [
    refusal(
      'run-open',
      `${vmName} has an open run for migration ${open.migrationId}`,
      `sealift abort ${vmName}; or take its place with: --supersede ${open.migrationId}`,
    ),
  ];
}

/** A run spends a token, also one that is aborted: the deed by which the VM came is then not its newest any more, so it cannot go back by it. */
function wayBackConcerns(host: Host, { state, lineage, token, peer, vmName }: DeedRecord): Concern[] {
  const came = host.deeds.runs(lineage).some((run) => run.token === token && run.role === 'destination');
  if (state !== 'holder' || peer === null || !came) return [];
  const origin = peerName(host.file, peer) ?? peer;
  const text = `${vmName} can go back to ${origin} now; once a move of it has begun, even one that is aborted, it cannot`;
  return [warning('ends-revert', text, `to have it as it was on ${origin}: sealift revert ${vmName}`)];
}

async function dom0Concerns({ file }: Host): Promise<Concern[]> {
  const missing = await dom0().missing();
  return missing.length === 0 ? [] : [refusal('dom0-unready', `the dom0 of ${file.name} lacks ${missing.join(', ')}`)];
}

function xenConcerns(here: HostCard, there: HostCard): Concern[] {
  if (!olderXen(here.xenVersion, there.xenVersion)) return [];
  return [
    warning('older-xen', `${here.name} runs Xen ${here.xenVersion}, older than ${there.xenVersion} on ${there.name}`),
  ];
}

/** What here has the uuid or the name of a VM that is to come. */
export async function takenConcerns(
  host: Host,
  source: { vmUuid: string; vmName: string },
  domains: Domain[],
): Promise<Concern[]> {
  const concerns: Concern[] = [];
  const record = host.deeds.byVm(source.vmUuid);
  if (record?.state === 'holder') {
    concerns.push(refusal('name-taken', `${host.file.name} itself holds a deed for the uuid ${source.vmUuid}`));
  }
  // What came with its memory for a run that came to nothing is destroyed when the next one comes.
  const others = domains.filter((domain) => !isArrival(host, domain));
  for (const vm of await joinVms(host.dom0, others)) {
    const same = [vm.name === source.vmName ? 'name' : '', vm.uuid === source.vmUuid ? 'uuid' : ''].filter(
      (one) => one !== '',
    );
    if (same.length === 0) continue;
    const what = vm.savedImagePath !== null ? 'a saved image' : vm.domid !== null ? 'a domain' : 'a configuration';
    concerns.push(refusal('name-taken', `${host.file.name} has ${what} of the same ${same.join(' and ')}: ${vm.name}`));
  }
  return concerns;
}

async function spaceConcerns(host: Host, pool: Pool, source: SourceSurvey): Promise<Concern[]> {
  let space;
  try {
    space = await poolSpace(pool);
  } catch (error) {
    if (!isSealiftError(error)) throw error;
    return [failedQuestion(error)];
  }
  const { freeBytes, unitBytes, sectorBytes } = space;
  const disks = crossingDisks(guestDisks(source.disks));
  const concerns = disks
    .filter((disk) => disk.sectorBytes !== sectorBytes)
    .map(({ vdev, sectorBytes: has }) =>
      refusal(
        'disk-format',
        `disk ${vdev} has sectors of ${String(has)} bytes, those of pool ${pool.name} have ${String(sectorBytes)}: its partitions would not be found`,
        'choose another pool (--pool)',
      ),
    );
  const needed = disks.reduce((sum, disk) => sum + Math.ceil(disk.sizeBytes / unitBytes) * unitBytes, 0);
  const free = Math.max(0, freeBytes - (await reservedBytes(host, pool)));
  if (free >= needed) return concerns;
  return [
    ...concerns,
    refusal(
      'no-space',
      `${host.file.name} has ${mebibytes(free, Math.floor)} MiB free in pool ${pool.name}, ${mebibytes(needed, Math.floor)} MiB are needed`,
    ),
  ];
}
