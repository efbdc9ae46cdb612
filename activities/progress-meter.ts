import { setTimeout as sleep } from 'node:timers/promises';
import type { TransferProgress } from '../domain/progress.ts';
import type { RunNotes } from './notes.ts';

/** Rates are taken over this time. */
const windowMs = 5_000;

/** Progress of a transfer that is one stream, and what a person asked of it. */
export class ProgressMeter {
  paused: boolean;
  /** Bytes per second, null for none. */
  limit: number | null;
  readonly #step: TransferProgress['step'];
  readonly #totals: { vdev: string; sizeBytes: number }[];
  #verified: number[];
  #wireBytes = 0;
  #history: { at: number; bytes: number }[] = [];

  constructor(step: TransferProgress['step'], notes: RunNotes) {
    this.#step = step;
    this.#totals = notes.disks;
    this.#verified = notes.disks.map(() => 0);
    this.paused = notes.steer.paused;
    this.limit = notes.steer.limitBytesPerSecond ?? null;
  }

  /** Plain bytes of each disk that are durable where they go. */
  set(diskBytes: number[], wireBytes: number): void {
    this.#verified = diskBytes;
    this.#wireBytes = wireBytes;
    const now = performance.now();
    this.#history.push({ at: now, bytes: this.#sum() });
    this.#history = this.#history.filter(({ at }) => now - at <= windowMs);
  }

  /** The same for a step that only knows which share of the whole is durable. */
  setShare(share: number, wireBytes: number): void {
    this.set(
      this.#totals.map(({ sizeBytes }) => Math.floor(sizeBytes * Math.min(1, share))),
      wireBytes,
    );
  }

  /** Resolves at once, or when a pause ends. Rejects with the signal's reason. */
  async mayGoOn(signal: AbortSignal): Promise<void> {
    while (this.paused) await sleep(100, undefined, { signal });
    signal.throwIfAborted();
  }

  progress(): TransferProgress {
    const [first] = this.#history;
    const last = this.#history.at(-1);
    const seconds = first === undefined || last === undefined ? 0 : (last.at - first.at) / 1_000;
    return {
      step: this.#step,
      disks: this.#totals.map(({ vdev, sizeBytes }, disk) => ({
        vdev,
        verifiedBytes: this.#verified[disk] ?? 0,
        totalBytes: sizeBytes,
      })),
      wireBytes: this.#wireBytes,
      bytesPerSecond: seconds === 0 ? 0 : ((last?.bytes ?? 0) - (first?.bytes ?? 0)) / seconds,
      streams: 1,
      retries: 0,
      paused: this.paused,
      limitBytesPerSecond: this.limit,
      trouble: null,
    };
  }

  #sum(): number {
    return this.#verified.reduce((sum, bytes) => sum + bytes, 0);
  }
}
