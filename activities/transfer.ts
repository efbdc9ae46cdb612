import { SealiftError } from '../domain/error.ts';
import type { Manifest } from '../domain/manifest.ts';
import type { RunKey, Signed } from '../domain/statement.ts';
import type { HostCard } from '../domain/survey.ts';
import { newSessionKey, sessionKeys } from '../seal/session.ts';
import { wrapSessionKey } from '../seal/wrap.ts';
import type { SessionKeys } from '../seal/session.ts';
import type { DeedRun } from '../deed/record.ts';
import type { Session } from '../domain/statement.ts';
import { placeNow } from '../storage/volume.ts';
import type { GivenToTunnel } from '../transport/ipsec/tunnel-watch.ts';
import { TunnelWatch } from '../transport/ipsec/tunnel-watch.ts';
import { startSending } from '../transport/sender.ts';
import type { SendJob } from '../transport/sender.ts';
import { runName } from './folders.ts';
import { beating } from './edge.ts';
import type { Host } from './host.ts';
import type { Transfer } from './jobs.ts';
import { sharedShapeOf } from './luns.ts';
import { findNotes, readNotes, updateNotes } from './notes.ts';
import type { RunNotes } from './notes.ts';
import type { TransferSummary } from './port.ts';
import { lowerRunTunnel, runTunnel } from './tunnel.ts';

/**
 * Sends the run's disks, read under the present fence, to the destination's landing: attaches to the transfer when one is
 * under way. Ends when the landing has acknowledged all, and notes the root that this host itself read.
 */
export async function sendDisks(
  host: Host,
  ask: {
    migrationId: string;
    key: Signed<RunKey>;
    destination: HostCard;
    roundTripMs?: number | undefined;
    streams?: number | undefined;
    limitBytesPerSecond?: number | undefined;
    round?: number | undefined;
  },
): Promise<TransferSummary> {
  const round = ask.round ?? 0;
  const done = alreadySent(host, ask.migrationId, round);
  if (done !== null) return done;
  host.deeds.acceptKey(ask.migrationId, ask.key);
  return host.jobs.attend(
    ask.migrationId,
    () => startTransfer(host, ask, round),
    async (transfer) => (await beating(transfer.done, () => transfer.progress())).summary,
  );
}

/** What a person asked of a run's transfer: holds now, and for later sessions of the run. */
export async function steerTransfer(
  host: Host,
  ask: { migrationId: string; paused?: boolean | undefined; limitBytesPerSecond?: number | null | undefined },
): Promise<void> {
  const { steer } = readNotes(host.deeds, ask.migrationId);
  const paused = ask.paused ?? steer.paused;
  const limit = ask.limitBytesPerSecond === undefined ? steer.limitBytesPerSecond : wholeBytes(ask.limitBytesPerSecond);
  updateNotes(host.deeds, ask.migrationId, {
    steer: { paused, ...(limit === undefined ? {} : { limitBytesPerSecond: limit }) },
  });
  const transfer = await host.jobs.find(ask.migrationId);
  if (transfer === null) return;
  if (ask.paused === true) transfer.pause();
  if (ask.paused === false) transfer.resume();
  if (ask.limitBytesPerSecond !== undefined) transfer.setLimit(lowest(limit, hostLimit(host)));
}

/** What an earlier attempt, whose answer was lost, has finished under the present fence; null when there is something to do. */
export function alreadySent(host: Host, migrationId: string, round: number): TransferSummary | null {
  const { record, run } = host.deeds.byMigration(migrationId);
  const sent = findNotes(host.deeds, migrationId)?.sent ?? null;
  const { plainBytes, wireBytes, retries, streams } = sent ?? { plainBytes: 0, wireBytes: 0, retries: 0, streams: 0 };
  if (run.state === 'ceded') return { plainBytes, wireBytes, retries, streams };
  return sent !== null && sent.round >= round && record.seenRoot !== null
    ? { plainBytes, wireBytes, retries, streams }
    : null;
}

/** Begins a session of the run: counted durably, its key wrapped to the run's key, the wrapping signed. */
export async function beginSession(
  host: Host,
  run: DeedRun,
  key: RunKey,
): Promise<{ session: Signed<Session>; keys: SessionKeys }> {
  const number = host.deeds.nextSession(run.migrationId);
  const sessionKey = newSessionKey();
  const wrapped = await wrapSessionKey(sessionKey, key.recipient);
  const session = host.deeds.signSession(run.migrationId, { number, recipient: key.recipient, wrapped });
  return { session, keys: sessionKeys(sessionKey, session.body, run.method) };
}

/** What must be at the destination, when all digests are known. */
export function manifestOf(host: Host, migrationId: string): (diskDigests: string[]) => Manifest {
  const { record, run } = host.deeds.byMigration(migrationId);
  const notes = readNotes(host.deeds, migrationId);
  const { config, autostart } = notes;
  if (config === null) throw new SealiftError('unknown-state', `no configuration of ${record.vmName} is kept`);
  return (digests) => ({
    lineage: run.lineage,
    token: run.token,
    vmUuid: record.vmUuid,
    vmName: record.vmName,
    config,
    autostart,
    disks: notes.disks.map(({ vdev, sizeBytes, sectorBytes }, disk) => ({
      vdev,
      sizeBytes,
      sectorBytes,
      digest: digests[disk] ?? '',
    })),
    ...(notes.luns.length === 0 ? {} : { shared: notes.luns.map(sharedShapeOf) }),
    ...(notes.departure?.state === 'fenced' ? { memory: { session: notes.departure.session } } : {}),
  });
}

/** Throws `deed-refused` unless the run's fence was proven: only reads made under it count. */
export function requireFence(host: Host, migrationId: string): { run: DeedRun; notes: RunNotes } {
  const { record, run } = host.deeds.byMigration(migrationId);
  if (record.fencedToken !== run.token || run.state !== 'open') {
    throw new SealiftError(
      'deed-refused',
      `${record.vmName} is not fenced for token ${String(run.token)}: its run is ${run.state}`,
    );
  }
  return { run, notes: readNotes(host.deeds, migrationId) };
}

/** The lowest of the limits that are set, in bytes per second. */
function lowest(...limits: (number | null | undefined)[]): number | null {
  const set = limits.filter((limit) => limit !== null && limit !== undefined);
  return set.length === 0 ? null : Math.min(...set);
}

/** The limit that a session begins with: as was ordered last, else as it was asked for, and never above the host's own. */
export function limitOf(
  host: Host,
  { steer }: RunNotes,
  ask: { limitBytesPerSecond?: number | undefined },
): number | null {
  const asked = steer.limitBytesPerSecond === undefined ? ask.limitBytesPerSecond : steer.limitBytesPerSecond;
  return lowest(asked, hostLimit(host));
}

function hostLimit(host: Host): number | null {
  return host.file.limits.rate_mbps === undefined ? null : (host.file.limits.rate_mbps * 1_000_000) / 8;
}

async function startTransfer(host: Host, ask: Parameters<typeof sendDisks>[1], round: number): Promise<Transfer> {
  const { run, notes } = requireFence(host, ask.migrationId);
  const tunnel = run.method === 'tunnel' ? runTunnel(host, ask.migrationId) : null;
  const { session, keys } = await beginSession(host, run, ask.key.body);
  const { limits } = host.file;
  const watch = tunnel === null ? null : await TunnelWatch.begin(tunnel.end);
  const job = startSending({
    session,
    keys,
    landing: tunnel?.landing ?? ask.destination.landing,
    disks: await Promise.all(notes.disks.map(async (disk) => ({ ...disk, path: await placeNow(disk) }))),
    journal: host.own,
    run: runName(run),
    manifest: manifestOf(host, ask.migrationId),
    streams: ask.streams,
    roundTripMs: ask.roundTripMs,
    limitBytesPerSecond: limitOf(host, notes, ask),
    paused: notes.steer.paused,
    stallMs: limits.stall_seconds * 1_000,
    connectLimitMs: limits.connect_seconds * 1_000,
    log: host.log,
  });
  const crossed = watch === null ? job.done : insideOnly(job, watch);
  const done = crossed.then(async ({ root, summary }) => {
    await lowerRunTunnel(host, ask.migrationId);
    host.deeds.noteRead(ask.migrationId, root);
    updateNotes(host.deeds, ask.migrationId, { sent: { round, ...summary } });
    return { summary };
  });
  // A transfer that fails while no activity attends to it must not end the process.
  done.catch(() => undefined);
  return {
    progress: () => job.progress(),
    done,
    pause: () => {
      job.pause();
    },
    resume: () => {
      job.resume();
    },
    setLimit: (limit) => {
      job.setLimit(limit);
    },
    stop: () => job.stop(),
  };
}

/** The job's end, while what it sends goes through the tunnel; what does not, is stopped. */
async function insideOnly(job: SendJob, watch: TunnelWatch): Promise<Awaited<SendJob['done']>> {
  const over = new AbortController();
  let most = 0;
  const given = (): GivenToTunnel => {
    const { wireBytes: bytes, streams, retries } = job.progress();
    most = Math.max(most, streams);
    // Each that broke with something to send is among the retries.
    return { bytes, connections: most + retries };
  };
  const watched = watch.run(given, over.signal).then(() => job.done);
  try {
    return await Promise.race([job.done, watched]);
  } catch (error) {
    await job.stop();
    throw error;
  } finally {
    over.abort();
    watched.catch(() => undefined);
  }
}

function wholeBytes(limit: number | null): number | null {
  return limit === null ? null : Math.max(1, Math.round(limit));
}
