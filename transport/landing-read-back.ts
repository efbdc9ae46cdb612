import { SealiftError } from '../domain/error.ts';
import { chunkCount } from '../domain/chunks.ts';
import type { ChunkContent, Journal } from '../storage/journal.ts';
import type { LandingThreads } from './landing-threads.ts';

/** Results are put into the journal this many at a time. */
const batchChunks = 64;
/** Chunks that wait to be read back while others come in; the rest is found in the journal by `rest`. */
const mostWaiting = 256;
/** Whoever wants to know how far it is goes through the whole journal of the run. */
const progressEveryMs = 1_000;

/**
 * Reads a run's chunks back from the device, after their sync, and compares them with what was journaled. A chunk that reads
 * as something else leaves the journal: it is missing, and will be sent again.
 */
export class ReadBack {
  readonly #run: string;
  readonly #threads: LandingThreads;
  readonly #journal: Journal;
  readonly #onTrouble: (error: SealiftError) => void;
  readonly #queue: ChunkContent[] = [];
  #good: ChunkContent[] = [];
  #reading = 0;
  #stops = 0;
  #error: Error | null = null;
  #waiting: (() => void)[] = [];

  constructor(run: string, threads: LandingThreads, journal: Journal, onTrouble: (error: SealiftError) => void) {
    this.#run = run;
    this.#threads = threads;
    this.#journal = journal;
    this.#onTrouble = onTrouble;
  }

  add(chunks: readonly ChunkContent[]): void {
    this.#queue.push(...chunks.slice(0, Math.max(0, mostWaiting - this.#queue.length)));
    this.#pump();
  }

  /** Reads all that the journal holds and does not know as read back. Throws what a read failed with, 'cancelled' by `signal`, 'landing-away' after `stop`. */
  async rest(signal: AbortSignal | undefined, onProgress: () => void): Promise<void> {
    const stops = this.#stops;
    let toldAt = performance.now();
    this.#error = null;
    await this.#settled(0);
    for (const { disk } of this.#journal.disks(this.#run)) {
      for (const { index, digest, readBack } of this.#journal.held(this.#run, disk)) {
        if (readBack) continue;
        if (signal?.aborted === true) throw new SealiftError('cancelled', 'reading back was cancelled');
        if (stops !== this.#stops) throw brokenOff();
        if (this.#failed()) break;
        this.add([{ disk, index, digest }]);
        await this.#settled(this.#threads.readBackLanes);
        if (performance.now() - toldAt < progressEveryMs) continue;
        toldAt = performance.now();
        onProgress();
      }
    }
    await this.#settled(0);
    if (stops !== this.#stops) throw brokenOff();
    onProgress();
    const error = this.#failed();
    if (error) throw error;
  }

  /** The chunks of the run that are not both journaled and read back. */
  missing(): { disk: number; index: number }[] {
    return this.#journal.disks(this.#run).flatMap(({ disk, sizeBytes }) => {
      const there = new Uint8Array(chunkCount(sizeBytes));
      for (const { index, readBack } of this.#journal.held(this.#run, disk)) if (readBack) there[index] = 1;
      return Array.from(there.keys())
        .filter((index) => there[index] === 0)
        .map((index) => ({ disk, index }));
    });
  }

  /** Ends reading, also that of `rest`; returns when nothing is being read. Chunks added later are read. */
  async stop(): Promise<void> {
    this.#stops += 1;
    this.#queue.length = 0;
    await this.#settled(0);
  }

  #failed(): Error | null {
    return this.#error;
  }

  #pump(): void {
    while (this.#reading < this.#threads.readBackLanes) {
      const chunk = this.#queue.shift();
      if (chunk === undefined) return;
      this.#reading += 1;
      void this.#read(chunk);
    }
  }

  async #read(chunk: ChunkContent): Promise<void> {
    try {
      const digest = await this.#threads.readBack(this.#run, chunk.disk, chunk.index);
      if (digest.equals(chunk.digest)) this.#good.push(chunk);
      else this.#differs(chunk);
    } catch (error) {
      this.#error = error instanceof Error ? error : new SealiftError('internal', String(error));
    }
    this.#reading -= 1;
    this.#pump();
    if (this.#reading === 0 || this.#good.length >= batchChunks) this.#flush();
    for (const wake of this.#waiting.splice(0)) wake();
  }

  #flush(): void {
    const good = this.#good;
    this.#good = [];
    try {
      // Chunks that came once more meanwhile keep waiting for their own read-back.
      if (good.length > 0) this.#journal.markReadBack(this.#run, good);
    } catch (error) {
      this.#error = error instanceof Error ? error : new SealiftError('internal', String(error));
    }
  }

  #differs({ disk, index }: ChunkContent): void {
    this.#journal.drop(this.#run, [{ disk, index }]);
    const text = `chunk ${String(index)} of disk ${String(disk)} does not read as it was written`;
    this.#onTrouble(new SealiftError('disk-io', text));
  }

  async #settled(most: number): Promise<void> {
    while (this.#reading + this.#queue.length > most) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }
}

function brokenOff(): SealiftError {
  return new SealiftError('landing-away', 'the landing let go of the run while it was read back');
}
