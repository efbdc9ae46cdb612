import { chunkCount } from '../domain/chunks.ts';
import { SealiftError, isSealiftError } from '../domain/error.ts';
import type { TransferProgress } from '../domain/progress.ts';
import { decodeManifest } from '../seal/manifest.ts';
import { openDisk } from '../storage/disk.ts';
import type { Disk } from '../storage/disk.ts';
import type { Journal } from '../storage/journal.ts';
import { controlKind, encodeHeld, encodePlaces, heldPerFrame } from './control.ts';
import type { ControlKind, HeldPlace, Place, Plan } from './control.ts';
import type { LandingPlace, LandingRun } from './landing.ts';
import type { FromLandingThread, Grant, ThreadDisk } from './landing-messages.ts';
import { ReadBack } from './landing-read-back.ts';
import type { LandingStore } from './landing-store.ts';
import type { LandingThreads } from './landing-threads.ts';

export interface RunTools {
  journal: Journal;
  store: LandingStore;
  threads: LandingThreads;
  onTrouble(error: unknown): void;
  onFatal(error: Error): void;
}

type Written = FromLandingThread & { kind: 'written' };

/** A run in the landing's main thread: its session, the group commit of its chunks, and their read-back. */
export class RunAtLanding {
  readonly run: string;
  readonly readBack: ReadBack;
  readonly disks: ThreadDisk[];
  readonly #place: LandingPlace;
  readonly #tools: RunTools;
  readonly #connections = new Map<string, { stream: number; proved: boolean }>();
  #syncDisks: Promise<Disk>[] | null = null;
  #session: { number: number; signature: string; newest: SharedArrayBuffer[] } | null = null;
  #refuses = false;
  #pending: Written[] = [];
  #committing: Promise<void> | null = null;
  #trouble: string | null = null;

  constructor(place: LandingPlace, tools: RunTools) {
    this.run = place.run;
    this.#place = place;
    this.#tools = tools;
    tools.journal.open(
      place.run,
      place.disks.map(({ sizeBytes }, disk) => ({ disk, sizeBytes })),
    );
    const isFirst = tools.store.isFirst(place.run);
    const totals = tools.journal.totals(place.run);
    this.disks = place.disks.map(({ vdev, path, sizeBytes, fresh }, disk) => {
      const touched = new SharedArrayBuffer(chunkCount(sizeBytes));
      // A landing that was killed may have written chunks that never came into the journal.
      if (!fresh || !isFirst || totals[disk]?.heldChunks !== 0) new Uint8Array(touched).fill(1);
      return { vdev, path, sizeBytes, touched };
    });
    this.readBack = new ReadBack(place.run, tools.threads, tools.journal, (error) => {
      this.#noteTrouble(error);
    });
  }

  /** Lets a connection of a session in, after the older sessions have left. Throws 'stale-session', 'run-closed', 'bad-statement'. */
  async enter(asked: LandingRun, signature: string, connection: string, stream: number): Promise<Grant> {
    this.#checkOpen();
    const known = this.#session;
    if (known !== null && asked.number < known.number) {
      throw new SealiftError('stale-session', `session ${String(asked.number)} is over, ${String(known.number)} is on`);
    }
    if (known?.number === asked.number && known.signature !== signature) {
      throw new SealiftError('bad-statement', `there are two sessions with number ${String(asked.number)}`);
    }
    if (known === null || asked.number > known.number) {
      await this.#tools.threads.leave(this.run, asked.number, false);
      const newest = this.disks.map(({ sizeBytes }) => new SharedArrayBuffer(8 * chunkCount(sizeBytes)));
      this.#session = { number: asked.number, signature, newest };
    }
    // Opened before anything is written, so that no write error can escape the sync.
    this.#syncDisks ??= this.disks.map(({ path }) => openDisk(path, 'write'));
    await Promise.all(this.#syncDisks);
    this.#checkOpen();
    this.#connections.set(connection, { stream, proved: false });
    const { key, context } = asked.keys;
    const newest = this.#session?.newest ?? [];
    return { run: this.run, number: asked.number, key, context, disks: this.disks, newest };
  }

  /** A connection has proved itself: it takes the place of its stream's last one, and is told what is held. */
  plan(connection: string, { disks, held, beatMs }: Plan): void {
    const own = this.#connections.get(connection);
    if (own === undefined) return;
    if (!this.#has(disks))
      throw new SealiftError('manifest-mismatch', "the sender's disks are not those that the run was opened for");
    for (const [id, other] of this.#connections) {
      if (other === own || other.stream !== own.stream || !other.proved) continue;
      this.#tools.threads.tell(id, { kind: 'drop', connection: id });
    }
    own.proved = true;
    if (held) for (const part of this.#held()) this.#send(connection, controlKind.held, encodeHeld(part));
    this.#tools.threads.tell(connection, { kind: 'planned', connection, beatMs });
  }

  gone(connection: string): void {
    this.#connections.delete(connection);
  }

  written(chunk: Written): void {
    this.#pending.push(chunk);
    this.#committing ??= this.#commit().finally(() => {
      this.#committing = null;
    });
  }

  manifest(connection: string, bytes: Buffer): void {
    const { manifest } = decodeManifest(bytes);
    if (!this.#has(manifest.disks) || `${manifest.lineage}/${String(manifest.token)}` !== this.run)
      throw new SealiftError('manifest-mismatch', 'the manifest is not of the disks that the run was opened for');
    this.#tools.store.keepManifest(this.run, bytes);
    this.#send(connection, controlKind.stored, Buffer.alloc(0));
  }

  /** Tells the run's senders why it cannot go on now. They may come back in a new session. */
  fail(error: unknown): void {
    this.#noteTrouble(error);
    const plain = isSealiftError(error)
      ? { type: error.type, message: error.message }
      : { type: 'internal' as const, message: 'the landing failed' };
    for (const connection of this.#connections.keys()) {
      this.#tools.threads.tell(connection, { kind: 'refused', connection, error: plain });
    }
  }

  /** Refuses, waits for writers and for their commit, then closes the journal durably. */
  async drain(): Promise<void> {
    this.#refuses = true;
    try {
      await this.leave();
      this.#tools.journal.close(this.run);
    } finally {
      this.#refuses = false;
    }
  }

  /** Ends all connections and closes all disks; what was written and verified still comes into the journal. */
  async leave(): Promise<void> {
    await this.readBack.idle();
    await this.#tools.threads.leave(this.run, Number.MAX_SAFE_INTEGER, true);
    while (this.#committing !== null) await this.#committing;
    await this.readBack.idle();
    const open = this.#syncDisks ?? [];
    this.#syncDisks = null;
    for (const disk of await Promise.allSettled(open)) if (disk.status === 'fulfilled') await disk.value.close();
    this.#session = null;
  }

  hasConnections(): boolean {
    return this.#connections.size > 0;
  }

  progress(): TransferProgress {
    const totals = this.#tools.journal.totals(this.run);
    return {
      step: 'read-back',
      disks: this.#place.disks.map(({ vdev, sizeBytes }, disk) => ({
        vdev,
        verifiedBytes: totals[disk]?.readBackBytes ?? 0,
        totalBytes: sizeBytes,
      })),
      wireBytes: 0,
      bytesPerSecond: 0,
      streams: [...this.#connections.values()].filter(({ proved }) => proved).length,
      retries: 0,
      paused: false,
      limitBytesPerSecond: null,
      trouble: this.#trouble,
    };
  }

  async #commit(): Promise<void> {
    while (this.#pending.length > 0) {
      const batch = this.#pending;
      this.#pending = [];
      try {
        await this.#sync(batch);
        const entries = batch.map(({ disk, index, digest, zero }) => ({
          disk,
          index,
          digest: Buffer.from(digest, 'hex'),
          zero,
        }));
        this.#tools.journal.record(this.run, entries);
        this.readBack.add(entries);
      } catch (error) {
        if (!isSealiftError(error) || error.fatal) this.#tools.onFatal(error as Error);
        else this.fail(error);
        return;
      }
      this.#acknowledge(batch);
    }
  }

  async #sync(batch: readonly Written[]): Promise<void> {
    const opened = this.#syncDisks ?? [];
    const touched = new Set(batch.map(({ disk }) => disk));
    await Promise.all([...touched].map(async (disk) => (await (opened[disk] as Promise<Disk>)).sync()));
  }

  #acknowledge(batch: readonly Written[]): void {
    const places = new Map<string, Place[]>();
    for (const { connection, disk, index } of batch) {
      const own = places.get(connection) ?? [];
      own.push({ disk, index });
      places.set(connection, own);
    }
    for (const [connection, own] of places) this.#send(connection, controlKind.acknowledged, encodePlaces(own));
  }

  #send(connection: string, control: ControlKind, payload: Buffer): void {
    this.#tools.threads.tell(connection, { kind: 'control', connection, control, payload });
  }

  *#held(): Generator<HeldPlace[]> {
    let part: HeldPlace[] = [];
    for (const disk of this.disks.keys()) {
      for (const { index, digest } of this.#tools.journal.held(this.run, disk)) {
        part.push({ disk, index, digest });
        if (part.length < heldPerFrame) continue;
        yield part;
        part = [];
      }
    }
    if (part.length > 0) yield part;
  }

  #has(disks: Plan['disks']): boolean {
    return (
      disks.length === this.disks.length &&
      disks.every(({ vdev, sizeBytes }, at) => vdev === this.disks[at]?.vdev && sizeBytes === this.disks[at].sizeBytes)
    );
  }

  #checkOpen(): void {
    if (this.#refuses || this.#tools.journal.isClosed(this.run)) {
      throw new SealiftError('run-closed', 'the landing takes no more chunks of the run');
    }
  }

  #noteTrouble(error: unknown): void {
    this.#trouble = error instanceof Error ? error.message : String(error);
    this.#tools.onTrouble(error);
  }
}
