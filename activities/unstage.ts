import { SealiftError } from '../domain/error.ts';
import { chunkBytes, chunkCount, chunkLength } from '../domain/chunks.ts';
import { readContainer } from '../seal/container.ts';
import type { Container, ContainerChunk } from '../seal/container.ts';
import { alignedBuffer } from '../storage/aligned.ts';
import { openDisk } from '../storage/disk.ts';
import type { Disk } from '../storage/disk.ts';
import type { JournalEntry } from '../storage/journal.ts';
import { LandingStore } from '../transport/landing-store.ts';
import { authorizeSession } from './authorize.ts';
import { runName } from './folders.ts';
import { arrivedPath } from './container-files.ts';
import { beating } from './edge.ts';
import type { Host } from './host.ts';
import { disksOf } from './landing-disks.ts';
import { readNotes } from './notes.ts';
import type { TransferSummary } from './port.ts';
import { ProgressMeter } from './progress-meter.ts';
import { inTurn } from './vm-turn.ts';

/** Chunks are synced and journaled so many at a time: 64 MiB. */
const batchChunks = 16;

/**
 * Destination, `staged`: verifies the whole container, then decrypts it onto the landing's disks: data synced, then journaled.
 * Goes on from the journal. Throws `bad-container` when it is cut short, changed, or of another run.
 */
export async function openContainer(host: Host, migrationId: string, signal: AbortSignal): Promise<TransferSummary> {
  const { record, run } = host.deeds.byMigration(migrationId);
  if (run.root !== null) return summaryOf(0, 0);
  const meter = new ProgressMeter('unseal', readNotes(host.deeds, migrationId));
  const work = inTurn(host, record.lineage, async () => {
    const disks = disksOf(readNotes(host.deeds, migrationId));
    const container = await readContainer({
      path: arrivedPath(host, migrationId),
      expect: {
        lineage: run.lineage,
        token: run.token,
        disks: disks.map(({ vdev, sizeBytes, sectorBytes }) => ({ vdev, sizeBytes, sectorBytes })),
      },
      authorize: async (session) => (await authorizeSession(host, session)).keys,
      signal,
    });
    try {
      await unsealAll(host, runName(run), disks, container, meter, signal);
      new LandingStore(host.state.database).keepManifest(runName(run), container.manifestBytes);
      return summaryOf(
        disks.reduce((sum, disk) => sum + disk.sizeBytes, 0),
        container.fileBytes,
      );
    } finally {
      await container.close();
    }
  });
  return beating(work, () => meter.progress());
}

async function unsealAll(
  host: Host,
  run: string,
  places: { path: string; sizeBytes: number }[],
  container: Container,
  meter: ProgressMeter,
  signal: AbortSignal,
): Promise<void> {
  const held = host.landed.disks(run).map(({ disk, sizeBytes }) => heldChunks(host, run, disk, sizeBytes));
  const heldBytes = host.landed.totals(run).map((total) => total.heldBytes);
  const disks: Disk[] = [];
  let pending: JournalEntry[] = [];
  const commit = async (): Promise<void> => {
    for (const disk of new Set(pending.map((entry) => entry.disk))) await disks[disk]?.sync();
    host.landed.record(run, pending);
    for (const { disk, index } of pending) {
      heldBytes[disk] = (heldBytes[disk] ?? 0) + chunkLength(disks[disk]?.sizeBytes ?? 0, index);
    }
    pending = [];
    meter.set([...heldBytes], 0);
  };
  try {
    for (const { path, sizeBytes } of places) disks.push(await openDisk(path, 'write', sizeBytes));
    await container.unseal({
      wanted: (disk, index) => held[disk]?.[index] !== 1,
      allocate: (bytes) => alignedBuffer(Math.max(bytes, chunkBytes)),
      signal,
      onChunk: async (chunk: ContainerChunk) => {
        const disk = disks[chunk.disk];
        if (disk === undefined) throw new SealiftError('bad-container', `a chunk of disk ${String(chunk.disk)}`);
        await disk.write(chunk.plain, chunk.index * chunkBytes, chunk.plain.length);
        pending.push({ disk: chunk.disk, index: chunk.index, digest: Buffer.from(chunk.digest), zero: chunk.zero });
        if (pending.length >= batchChunks) await commit();
      },
    });
    await commit();
  } finally {
    await Promise.all(disks.map((disk) => disk.close()));
  }
}

/** One byte a chunk: 1 where the journal holds it. */
function heldChunks(host: Host, run: string, disk: number, sizeBytes: number): Uint8Array {
  const held = new Uint8Array(chunkCount(sizeBytes));
  for (const { index } of host.landed.held(run, disk)) held[index] = 1;
  return held;
}

function summaryOf(plainBytes: number, wireBytes: number): TransferSummary {
  return { plainBytes, wireBytes, retries: 0, streams: 1 };
}
