import { SealiftError } from '../domain/error.ts';
import { chunkBytes, chunkLength } from '../domain/chunks.ts';
import type { ContainerServer } from '../domain/host-file.ts';
import type { TransferProgress } from '../domain/progress.ts';
import type { RunKey, Signed } from '../domain/statement.ts';
import { writeContainer } from '../seal/container.ts';
import { alignedBuffer } from '../storage/aligned.ts';
import { openDisk } from '../storage/disk.ts';
import type { Disk } from '../storage/disk.ts';
import { placeNow } from '../storage/volume.ts';
import { sendFile } from '../transport/sftp.ts';
import { containerName, sealedPath, ssh } from './container-files.ts';
import { beating } from './edge.ts';
import type { Host } from './host.ts';
import type { Transfer } from './jobs.ts';
import { readNotes, updateNotes } from './notes.ts';
import type { RunNotes } from './notes.ts';
import type { TransferSummary } from './port.ts';
import { ProgressMeter } from './progress-meter.ts';
import { alreadySent, beginSession, limitOf, manifestOf, requireFence } from './transfer.ts';

/**
 * Source, `staged`: encrypts all disks, read under the present fence, into one container file. One that was interrupted
 * starts again with a new session. Throws `disk-full` for the source's staging folder.
 */
export async function sealContainer(
  host: Host,
  ask: { migrationId: string; key: Signed<RunKey> },
): Promise<{ containerBytes: number }> {
  const { record } = host.deeds.byMigration(ask.migrationId);
  const whole = readNotes(host.deeds, ask.migrationId).container?.bytes ?? null;
  if (whole !== null && record.seenRoot !== null) return { containerBytes: whole };
  host.deeds.acceptKey(ask.migrationId, ask.key);
  return host.jobs.attend(
    ask.migrationId,
    () => startSealing(host, ask.migrationId, ask.key.body),
    async (transfer) => {
      const { summary } = await beating(transfer.done, () => transfer.progress());
      return { containerBytes: summary.wireBytes };
    },
  );
}

/**
 * Source, `staged`: carries the container by SFTP, to the server that this host's own file names for the peer of the run; goes on
 * from the last synced offset. Throws `bad-config` when the file names none.
 */
export async function sendContainer(
  host: Host,
  ask: { migrationId: string; limitBytesPerSecond?: number | undefined },
): Promise<TransferSummary> {
  const done = alreadySent(host, ask.migrationId, 0);
  if (done !== null) return done;
  return host.jobs.attend(
    ask.migrationId,
    () => Promise.resolve(startCarrying(host, ask)),
    async (transfer) => (await beating(transfer.done, () => transfer.progress())).summary,
  );
}

async function startSealing(host: Host, migrationId: string, key: RunKey): Promise<Transfer> {
  const { run, notes } = requireFence(host, migrationId);
  const { session, keys } = await beginSession(host, run, key);
  const stopping = new AbortController();
  const meter = new ProgressMeter('seal', notes);
  const path = sealedPath(host, migrationId);
  const disks = await openAll(notes);
  const buffer = alignedBuffer(chunkBytes);
  const written = writeContainer({
    path,
    session,
    keys,
    disks: notes.disks.map(({ vdev, sizeBytes, sectorBytes }) => ({ vdev, sizeBytes, sectorBytes })),
    read: async (disk, index) => {
      const open = disks[disk];
      if (open === undefined) throw new SealiftError('internal', `no disk ${String(disk)}`);
      await meter.mayGoOn(stopping.signal);
      const length = chunkLength(open.sizeBytes, index);
      await open.read(buffer, index * chunkBytes, length);
      return buffer.subarray(0, length);
    },
    manifest: manifestOf(host, migrationId),
    compress: false,
    onProgress: ({ diskBytes, fileBytes }) => {
      meter.set(diskBytes, fileBytes);
    },
    signal: stopping.signal,
  });
  const done = written
    .then(({ root, fileBytes, plainBytes }) => {
      host.deeds.noteRead(migrationId, root);
      updateNotes(host.deeds, migrationId, {
        container: { bytes: fileBytes, syncedBytes: 0 },
        sent: null,
      });
      return { summary: { plainBytes, wireBytes: fileBytes, retries: 0, streams: 0 } };
    })
    .finally(() => Promise.all(disks.map((disk) => disk.close())));
  return asTransfer(meter, done, stopping);
}

function startCarrying(host: Host, ask: { migrationId: string; limitBytesPerSecond?: number | undefined }): Transfer {
  const notes = readNotes(host.deeds, ask.migrationId);
  const { container } = notes;
  const server = pinnedServer(host, ask.migrationId);
  if (container === null)
    throw new SealiftError('unknown-state', `no container of migration ${ask.migrationId} is here`);
  const { bytes } = container;
  const plainBytes = notes.disks.reduce((sum, disk) => sum + disk.sizeBytes, 0);
  const stopping = new AbortController();
  const meter = new ProgressMeter('send', notes);
  meter.limit = limitOf(host, notes, ask);
  const done = sendFile({
    ssh: {
      address: server.address,
      port: server.port,
      user: server.user,
      hostKey: server.host_key,
      privateKeyPath: ssh(host).private_key,
    },
    stallMs: host.file.limits.stall_seconds * 1_000,
    from: sealedPath(host, ask.migrationId),
    to: `${server.folder}/${containerName(ask.migrationId)}`,
    syncedBytes: container.syncedBytes,
    onSynced: (syncedBytes) => {
      updateNotes(host.deeds, ask.migrationId, { container: { ...container, syncedBytes } });
      meter.setShare(syncedBytes / bytes, syncedBytes);
    },
    limit: () => meter.limit,
    mayGoOn: () => meter.mayGoOn(stopping.signal),
    signal: stopping.signal,
  }).then(() => {
    const summary = { plainBytes, wireBytes: bytes, retries: 0, streams: 1 };
    updateNotes(host.deeds, ask.migrationId, { sent: { round: 0, ...summary } });
    return { summary };
  });
  return asTransfer(meter, done, stopping);
}

/** By the identity that the run was offered to: no name and no address that came through Temporal takes part. */
function pinnedServer(host: Host, migrationId: string): ContainerServer {
  const { run } = host.deeds.byMigration(migrationId);
  const peer = host.file.peer.find((one) => one.identity === run.peer);
  if (peer?.ssh !== undefined) return peer.ssh;
  throw new SealiftError('bad-config', `${host.file.name} has no ssh of ${peer?.name ?? run.peer} in its file`);
}

function asTransfer(meter: ProgressMeter, done: Transfer['done'], stopping: AbortController): Transfer {
  done.catch(() => undefined);
  return {
    progress: (): TransferProgress => meter.progress(),
    done,
    pause: () => {
      meter.paused = true;
    },
    resume: () => {
      meter.paused = false;
    },
    setLimit: (limit) => {
      meter.limit = limit;
    },
    stop: async () => {
      stopping.abort(new SealiftError('cancelled', 'the transfer was stopped'));
      await done.catch(() => undefined);
    },
  };
}

async function openAll(notes: RunNotes): Promise<Disk[]> {
  const disks: Disk[] = [];
  try {
    for (const disk of notes.disks) disks.push(await openDisk(await placeNow(disk), 'read'));
  } catch (error) {
    await Promise.all(disks.map((disk) => disk.close()));
    throw error;
  }
  return disks;
}
