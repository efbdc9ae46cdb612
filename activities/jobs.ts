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

interface Job {
  transfer: Promise<Transfer>;
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
  readonly #jobs = new Map<string, Job>();
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
    const job = this.#jobs.get(migrationId) ?? this.#begin(migrationId, start);
    job.attached += 1;
    clearTimeout(job.orphaned);
    try {
      // A migration has one method and so one kind of transfer under way.
      return await attend((await job.transfer) as Kind);
    } finally {
      this.#detach(migrationId, job);
    }
  }

  /** The migration's transfer, when one is under way. */
  async find(migrationId: string): Promise<Transfer | null> {
    return (await this.#jobs.get(migrationId)?.transfer.catch(() => null)) ?? null;
  }

  async stop(migrationId: string): Promise<void> {
    const job = this.#jobs.get(migrationId);
    if (job !== undefined) await this.#end(migrationId, job);
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.#jobs.keys()].map((migrationId) => this.stop(migrationId)));
  }

  #begin(migrationId: string, start: () => Promise<Transfer>): Job {
    const job: Job = { transfer: start(), attached: 0, orphaned: undefined };
    this.#jobs.set(migrationId, job);
    const over = (): void => {
      this.#forget(migrationId, job);
    };
    // Attended to or not: what could not be made durable ends the process.
    job.transfer
      .then(({ done }) => done)
      .catch(endIfFatal)
      .then(over, over);
    return job;
  }

  #detach(migrationId: string, job: Job): void {
    job.attached -= 1;
    if (job.attached > 0 || this.#jobs.get(migrationId) !== job) return;
    job.orphaned = setTimeout(() => void this.#end(migrationId, job), this.#orphanMs);
    job.orphaned.unref();
  }

  async #end(migrationId: string, job: Job): Promise<void> {
    this.#forget(migrationId, job);
    const transfer = await job.transfer.catch(() => null);
    await transfer?.stop();
  }

  /** Another transfer of the migration may have begun meanwhile: it is left alone. */
  #forget(migrationId: string, job: Job): void {
    clearTimeout(job.orphaned);
    if (this.#jobs.get(migrationId) === job) this.#jobs.delete(migrationId);
  }
}
