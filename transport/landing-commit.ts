import { isSealiftError, SealiftError } from '../domain/error.ts';
import { openDisk } from '../storage/disk.ts';
import type { Disk } from '../storage/disk.ts';
import type { Journal, JournalEntry } from '../storage/journal.ts';
import type { FromLandingThread } from './landing-messages.ts';

export type Written = FromLandingThread & { kind: 'written' };

export interface CommitEvents {
  /** The chunks are on disk and in the journal: now they may be acknowledged. */
  onCommitted(chunks: readonly Written[], entries: readonly JournalEntry[]): void;
  /** The chunks are not acknowledged and have to come again. */
  onFailed(error: unknown): void;
  onFatal(error: Error): void;
}

/** Makes what the threads have written of one run durable, as many chunks at a time as came meanwhile: data synced, then journaled. */
export class GroupCommit {
  readonly #run: string;
  readonly #paths: readonly string[];
  readonly #journal: Journal;
  readonly #events: CommitEvents;
  #disks: Disk[] | null = null;
  #pending: Written[] = [];
  #committing: Promise<void> | null = null;

  constructor(run: string, paths: readonly string[], journal: Journal, events: CommitEvents) {
    this.#run = run;
    this.#paths = paths;
    this.#journal = journal;
    this.#events = events;
  }

  /** To be called before anything is written, so that no write error can escape the sync; once at a time. Throws what `openDisk` throws. */
  async open(): Promise<void> {
    if (this.#disks !== null) return;
    const opened: Disk[] = [];
    try {
      for (const path of this.#paths) opened.push(await openDisk(path, 'write'));
    } catch (error) {
      for (const disk of opened) await disk.close();
      throw error;
    }
    this.#disks = opened;
  }

  add(chunk: Written): void {
    this.#pending.push(chunk);
    this.#committing ??= this.#commit().finally(() => {
      this.#committing = null;
    });
  }

  /** When all that was added is in the journal, or has failed. */
  async idle(): Promise<void> {
    while (this.#committing !== null) await this.#committing;
  }

  /** To be called when nothing is added any more. */
  async close(): Promise<void> {
    await this.idle();
    const opened = this.#disks ?? [];
    this.#disks = null;
    for (const disk of opened) await disk.close();
  }

  async #commit(): Promise<void> {
    while (this.#pending.length > 0) {
      const batch = this.#pending;
      this.#pending = [];
      const entries = batch.map(({ disk, index, digest, zero }) => ({
        disk,
        index,
        digest: Buffer.from(digest, 'hex'),
        zero,
      }));
      try {
        await this.#sync(batch);
        this.#journal.record(this.#run, entries);
      } catch (error) {
        this.#pending = [];
        if (!isSealiftError(error) || error.fatal) this.#events.onFatal(error as Error);
        else this.#events.onFailed(error);
        return;
      }
      this.#events.onCommitted(batch, entries);
    }
  }

  async #sync(batch: readonly Written[]): Promise<void> {
    const opened = this.#disks;
    if (opened === null) throw new SealiftError('internal', 'chunks of a run whose disks are closed');
    const touched = new Set(batch.map(({ disk }) => disk));
    await Promise.all([...touched].map((disk) => (opened[disk] as Disk).sync()));
  }
}
