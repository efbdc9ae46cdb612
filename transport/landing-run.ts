import { chunkCount } from '../domain/chunks.ts';
import { SealiftError, isSealiftError } from '../domain/error.ts';
import type { TransferProgress } from '../domain/progress.ts';
import { decodeManifest } from '../seal/manifest.ts';
import type { Journal } from '../storage/journal.ts';
import type { Plan } from './control.ts';
import { InOrder } from './in-order.ts';
import type { LandingPlace, LandingRun, MissingChunk } from './landing.ts';
import { GroupCommit } from './landing-commit.ts';
import type { Written } from './landing-commit.ts';
import type { Grant, ThreadDisk } from './landing-messages.ts';
import { ReadBack } from './landing-read-back.ts';
import { RunSenders, areDisks } from './landing-senders.ts';
import type { LandingStore } from './landing-store.ts';
import type { LandingThreads } from './landing-threads.ts';
import { toPlain } from './threads.ts';

export interface RunTools {
  journal: Journal;
  store: LandingStore;
  threads: LandingThreads;
  onTrouble(error: unknown): void;
  onFatal(error: Error): void;
}

/** A run in the landing's main thread: its session, the group commit of its chunks, and their read-back. */
export class RunAtLanding {
  readonly run: string;
  readonly disks: ThreadDisk[];
  readonly #place: LandingPlace;
  readonly #tools: RunTools;
  readonly #reading: ReadBack;
  readonly #commit: GroupCommit;
  /** Letting in, beginning to read and letting go of the disks keep out of each other's way. */
  readonly #inOrder = new InOrder();
  readonly #senders: RunSenders;
  #session: { number: number; signature: string; newest: SharedArrayBuffer[] } | null = null;
  #refuses = false;
  #ended = false;
  /** Calls of `readBack` under way. */
  #readers = 0;
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
    this.#reading = new ReadBack(place.run, tools.threads, tools.journal, (error) => {
      this.#noteTrouble(error);
    });
    this.#senders = new RunSenders(place.run, this.disks, tools.journal, tools.threads);
    const paths = place.disks.map(({ path }) => path);
    this.#commit = new GroupCommit(place.run, paths, tools.journal, {
      onCommitted: (chunks, entries) => {
        this.#reading.add(entries);
        this.#senders.acknowledge(chunks);
      },
      onFailed: (error) => {
        this.fail(error);
      },
      onFatal: (error) => {
        tools.onFatal(error);
      },
    });
  }

  /** The number of the session whose connections are let in. */
  get session(): number {
    return this.#session?.number ?? 0;
  }

  /**
   * Lets a connection of a session in, after the older sessions have left, and tells its thread. Throws 'stale-session',
   * 'run-closed', 'bad-statement', and what opening the disks throws.
   */
  async enter(asked: LandingRun, signature: string, connection: string, stream: number): Promise<void> {
    this.#senders.add(connection, stream);
    try {
      await this.#inOrder.run(() => this.#enter(asked, signature, connection));
    } catch (error) {
      this.#senders.delete(connection);
      throw error;
    }
  }

  /** A connection has proved itself. Throws 'manifest-mismatch' when its disks are others. */
  plan(connection: string, plan: Plan): void {
    this.#senders.plan(connection, plan);
  }

  gone(connection: string): void {
    this.#senders.delete(connection);
  }

  written(chunk: Written): void {
    this.#commit.add(chunk);
  }

  manifest(connection: string, bytes: Buffer): void {
    const { manifest } = decodeManifest(bytes);
    if (!areDisks(this.disks, manifest.disks) || `${manifest.lineage}/${String(manifest.token)}` !== this.run)
      throw new SealiftError('manifest-mismatch', 'the manifest is not of the disks that the run was opened for');
    this.#tools.store.keepManifest(this.run, bytes);
    this.#senders.stored(connection);
  }

  /** Tells the run's senders why it cannot go on now. They may come back in a new session. */
  fail(error: unknown): void {
    this.#noteTrouble(error);
    this.#senders.refuse(isSealiftError(error) ? toPlain(error) : { type: 'internal', message: 'the landing failed' });
  }

  /**
   * Reads back what was not read back yet, and tells which chunks are not there. Throws what a read failed with,
   * 'cancelled' by `signal`, and 'landing-away' when the run is left meanwhile.
   */
  async readBack(
    signal: AbortSignal | undefined,
    onProgress: (progress: TransferProgress) => void,
  ): Promise<MissingChunk[]> {
    const { done } = await this.#inOrder.run(() => {
      this.#checkHere();
      this.#tools.threads.tellAll({ kind: 'disks', run: this.run, disks: this.disks });
      this.#readers += 1;
      const rest = this.#reading.rest(signal, () => {
        onProgress(this.#progress());
      });
      return Promise.resolve({ done: rest });
    });
    try {
      await done;
    } finally {
      this.#readers -= 1;
      await this.#inOrder.run(async () => {
        if (this.#senders.count === 0 && this.#readers === 0) await this.#leave();
      });
    }
    return this.#reading.missing();
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

  /** Ends all connections and all reading and closes all disks; what was written and verified still comes into the journal. */
  async leave(): Promise<void> {
    await this.#inOrder.run(() => this.#leave());
  }

  /** Leaves for good: who is on the way in has to come again, and finds another one of these. */
  async end(): Promise<void> {
    this.#ended = true;
    await this.leave();
  }

  async #enter(asked: LandingRun, signature: string, connection: string): Promise<void> {
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
    await this.#commit.open();
    this.#checkOpen();
    const newest = this.#session?.newest ?? [];
    const { key, context, clear } = asked.keys;
    const holds = this.#tools.journal.holds(this.run);
    const keys = { key, context, clear };
    const grant: Grant = { run: this.run, number: asked.number, ...keys, disks: this.disks, holds, newest };
    this.#tools.threads.tell(connection, { kind: 'granted', connection, grant });
  }

  async #leave(): Promise<void> {
    await this.#reading.stop();
    await this.#tools.threads.leave(this.run, Number.MAX_SAFE_INTEGER, true);
    await this.#commit.close();
    // What was committed just now would have been read back next.
    await this.#reading.stop();
    this.#session = null;
  }

  #progress(): TransferProgress {
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
      streams: this.#senders.provedCount,
      retries: 0,
      paused: false,
      limitBytesPerSecond: null,
      trouble: this.#trouble,
    };
  }

  #checkOpen(): void {
    this.#checkHere();
    if (this.#refuses || this.#tools.journal.isClosed(this.run)) {
      throw new SealiftError('run-closed', 'the landing takes no more chunks of the run');
    }
  }

  #checkHere(): void {
    if (this.#ended) throw new SealiftError('landing-away', 'the landing ended the connections of the run');
  }

  #noteTrouble(error: unknown): void {
    this.#trouble = error instanceof Error ? error.message : String(error);
    this.#tools.onTrouble(error);
  }
}
