import type { TransferProgress } from '../domain/progress.ts';
import { endIfFatal } from '../storage/fatal.ts';
import type { TransferSummary } from './port.ts';

/** Bytes on their way for one run: outlives the activities that attach to it. */
export interface Transfer {
  progress(): TransferProgress;
  readonly done: Promise<{ summary: TransferSummary }>;
  pause(): void;
  resume(): void;
  setLimit(bytesPerSecond: number | null): void;
  stop(): Promise<void>;
}

interface Job<Kind extends Transfer = Transfer> {
  transfer: Kind;
  /** Activities that attend to it now. */
  attached: number;
  /** Set while nobody does. */
  orphaned: NodeJS.Timeout | undefined;
}

/**
 * The transfers of this process, one a migration. An activity attaches, and detaches when its attempt is lost: that neither
 * stops nor doubles the transfer. One that nobody attaches to for `orphanMs` stops.
 */
export class TransferJobs {
  readonly #jobs = new Map<string, Promise<Job>>();
  readonly #orphanMs: number;

  constructor(orphanMs: number) {
    this.#orphanMs = orphanMs;
  }

  /**
   * Attaches to the migration's transfer, or starts it by `start`, and gives it to `attend`. When `attend` ends the transfer
   * is let go: at once if it ended itself, else after a while in which another attempt may attach.
   */
  async attend<Kind extends Transfer, Result>(
    migrationId: string,
    start: () => Promise<Kind>,
    attend: (transfer: Kind) => Promise<Result>,
  ): Promise<Result> {
    const job = await this.#attach(migrationId, start);
    try {
      return await attend(job.transfer);
    } finally {
      this.#detach(migrationId, job);
    }
  }

  /** The migration's transfer, when one is under way. */
  async find(migrationId: string): Promise<Transfer | null> {
    const job = await this.#jobs.get(migrationId)?.catch(() => null);
    return job?.transfer ?? null;
  }

  async stop(migrationId: string): Promise<void> {
    const transfer = await this.find(migrationId);
    this.#jobs.delete(migrationId);
    await transfer?.stop();
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.#jobs.keys()].map((migrationId) => this.stop(migrationId)));
  }

  async #attach<Kind extends Transfer>(migrationId: string, start: () => Promise<Kind>): Promise<Job<Kind>> {
    let pending = this.#jobs.get(migrationId);
    if (pending === undefined) {
      pending = this.#begin(migrationId, start);
      this.#jobs.set(migrationId, pending);
    }
    const job = await pending;
    job.attached += 1;
    clearTimeout(job.orphaned);
    // A migration has one method and so one kind of transfer under way.
    return job as Job<Kind>;
  }

  async #begin<Kind extends Transfer>(migrationId: string, start: () => Promise<Kind>): Promise<Job> {
    try {
      const transfer = await start();
      const forget = (): void => void this.#jobs.delete(migrationId);
      // Attended to or not: what could not be made durable ends the process.
      transfer.done.catch(endIfFatal).then(forget, forget);
      return { transfer, attached: 0, orphaned: undefined };
    } catch (error) {
      this.#jobs.delete(migrationId);
      throw error;
    }
  }

  #detach(migrationId: string, job: Job): void {
    job.attached -= 1;
    if (job.attached > 0 || !this.#jobs.has(migrationId)) return;
    job.orphaned = setTimeout(() => {
      void this.stop(migrationId);
    }, this.#orphanMs);
    job.orphaned.unref();
  }
}
