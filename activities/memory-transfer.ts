import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunningProgram } from '../dom0/access.ts';
import { SealiftError } from '../domain/error.ts';
import type { TransferProgress } from '../domain/progress.ts';
import type { MemorySender } from '../transport/memory-sender.ts';
import { Rate } from '../transport/rate.ts';
import { migrationMessages } from '../xen/migration-stream.ts';
import { xlFailed } from '../xen/xl-run.ts';
import type { Transfer } from './jobs.ts';
import type { TransferSummary } from './port.ts';

/** How a guest's memory went: `why` it could not be sent, in a line; null when all of it is at the destination. */
export interface Sent {
  why: string | null;
}

export interface MemoryTransferOptions {
  /** Starts the program that writes the memory; `onLine` is to hear its standard error. */
  begin(onLine: (line: string) => void): Promise<RunningProgram>;
  /** In bytes a second; null is none. */
  limit: number | null;
  paused: boolean;
  /** Called when all of it is there, while xl waits for word of that. */
  attend(seen: { silentSince: string | null; wireBytes: number }): Promise<void>;
  /** Called when it will not be, and nobody talks to xl any more. */
  giveUp(): Promise<void>;
}

/** A suspended guest whose destination says nothing for so long, with all sent, is given up. */
const answerLimitMs = 120_000;

/** A guest's memory on its way to the destination's landing, by xl. */
export class MemoryTransfer implements Transfer {
  readonly sent: Promise<Sent>;
  readonly done: Promise<{ summary: TransferSummary }>;
  readonly #sender: MemorySender;
  readonly #options: MemoryTransferOptions;
  readonly #pace: Pace;
  readonly #rate = new Rate();
  readonly #stopped = Promise.withResolvers<never>();
  #silentSince: string | null = null;
  #movedAt = performance.now();

  constructor(sender: MemorySender, options: MemoryTransferOptions) {
    this.#sender = sender;
    this.#options = options;
    this.#pace = new Pace(options.limit, options.paused);
    this.#stopped.promise.catch(() => undefined);
    this.sent = this.#send();
    this.done = this.sent.then(() => ({
      summary: { plainBytes: 0, wireBytes: this.#sender.wireBytes, retries: 0, streams: 1 },
    }));
    for (const promise of [this.sent, this.done]) promise.catch(() => undefined);
  }

  /** No byte of it is durable anywhere, so none is counted as such. */
  progress(): TransferProgress {
    const { wireBytes } = this.#sender;
    this.#rate.note(wireBytes, performance.now());
    return {
      step: 'memory',
      disks: [],
      wireBytes,
      bytesPerSecond: this.#rate.bytesPerSecond(),
      streams: 1,
      retries: 0,
      paused: this.#pace.paused,
      limitBytesPerSecond: this.#pace.limit,
      trouble: null,
    };
  }

  pause(): void {
    this.#pace.paused = true;
  }

  resume(): void {
    this.#pace.paused = false;
  }

  setLimit(bytesPerSecond: number | null): void {
    this.#pace.limit = bytesPerSecond;
  }

  async stop(): Promise<void> {
    this.#stopped.reject(new SealiftError('cancelled', 'the transfer of the memory was stopped'));
    await this.sent.catch(() => undefined);
  }

  async #send(): Promise<Sent> {
    let program: RunningProgram | null = null;
    const over = new AbortController();
    try {
      program = await this.#options.begin((line) => {
        // Of libxl's own words when it asks a guest to suspend, whatever its type.
        if (!/ suspend request|Calling xc_domain_shutdown/.test(line)) return;
        this.#silentSince ??= new Date().toISOString();
        this.#pace.isUrgent = true;
      });
      program.stdin.write(migrationMessages.banner);
      const failed = await Promise.race([
        this.#sender.arrived.then(() => null),
        this.#pump(program.stdout, over.signal),
        this.#answering(over.signal),
        failing(program),
        this.#stopped.promise,
      ]);
      if (failed !== null) {
        await this.#leaveAlone(program);
        return { why: `its memory could not be sent: ${failed.message}` };
      }
      const { wireBytes } = this.#sender;
      await this.#options.attend({ silentSince: this.#silentSince ?? new Date().toISOString(), wireBytes });
      return { why: null };
    } catch (error) {
      await this.#leaveAlone(program);
      throw error;
    } finally {
      over.abort();
      this.#sender.close();
      program?.leave();
    }
  }

  /** At once: what is on its way must not go on until xl has no more. */
  async #leaveAlone(program: RunningProgram | null): Promise<void> {
    this.#sender.close();
    program?.stdin.destroy();
    program?.stdout.destroy();
    await this.#options.giveUp();
  }

  /** Only ends by an error: at the end of what xl writes, it waits for a word. */
  async #pump(from: Readable, signal: AbortSignal): Promise<never> {
    for await (const piece of from.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      await this.#pace.turn(piece.length, signal);
      await this.#sender.send(piece);
      this.#movedAt = performance.now();
    }
    return new Promise(() => undefined);
  }

  async #answering(signal: AbortSignal): Promise<never> {
    for (;;) {
      await sleep(1_000, undefined, { signal, ref: false });
      if (this.#silentSince === null) this.#movedAt = performance.now();
      if (performance.now() - this.#movedAt > answerLimitMs)
        throw new SealiftError('landing-away', 'the destination does not say that the guest has arrived');
    }
  }
}

/** What was not sent while it could be may be sent later, up to so much time's worth. */
const burstMs = 100;
/** So soon a change is noticed. */
const pollMs = 100;

/** Keeps to a limit in bytes a second, and to pauses; both may change, and neither keeps a guest waiting that is suspended already. */
class Pace {
  limit: number | null;
  paused: boolean;
  isUrgent = false;
  #freeAt = 0;

  constructor(limit: number | null, paused: boolean) {
    this.limit = limit;
    this.paused = paused;
  }

  async turn(bytes: number, signal: AbortSignal): Promise<void> {
    while (this.paused && !this.isUrgent) await sleep(pollMs, undefined, { signal });
    const before = Math.max(this.#freeAt, performance.now() - burstMs);
    for (;;) {
      this.#freeAt = before + (this.limit === null ? 0 : (bytes / this.limit) * 1_000);
      const leftMs = this.#freeAt - performance.now();
      if (leftMs <= 0 || this.isUrgent) return;
      await sleep(Math.min(leftMs, pollMs), undefined, { signal });
    }
  }
}

/** Throws 'dom0-away' when the line to it was lost: then it may go on, or let its guest go on. */
async function failing(program: RunningProgram): Promise<SealiftError> {
  const { exitCode, lost } = await program.ended;
  if (lost) throw new SealiftError('dom0-away', 'the line to dom0 was lost while memory went by it');
  return xlFailed('migrate', { exitCode, stdout: '', stderr: program.stderr() });
}
