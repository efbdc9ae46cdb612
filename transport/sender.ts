import type { Worker } from 'node:worker_threads';
import { SealiftError } from '../domain/error.ts';
import type { Manifest } from '../domain/manifest.ts';
import { hidePaths } from '../domain/plain-text.ts';
import type { TransferProgress } from '../domain/progress.ts';
import type { Session, Signed } from '../domain/statement.ts';
import { canonicalBytes } from '../seal/canonical.ts';
import { diskDigest, encodeManifest, manifestRoot } from '../seal/manifest.ts';
import type { SessionKeys } from '../seal/session.ts';
import type { Journal } from '../storage/journal.ts';
import { codecUrl } from './codec.ts';
import type { LandingLog } from './landing.ts';
import type { LandingAddress } from './line.ts';
import { Rate } from './rate.ts';
import { Board } from './sender-board.ts';
import type { BoardMemory } from './sender-board.ts';
import type { FromSenderThread, SenderThreadData, ToSenderThread } from './sender-messages.ts';
import { defaultThreads, fromPlain, joinThread, startThread } from './threads.ts';
import { TransferTuning, firstStreams } from './transfer-tuning.ts';
import { defaultConnectLimitMs, defaultStallMs, lanesPerThread, mostStreams } from './tuning.ts';

export { measureRoundTrip } from './round-trip.ts';

/** A disk of the source, in the manifest's order; it is only read. */
export interface SourceDisk {
  vdev: string;
  path: string;
  sizeBytes: number;
  sectorBytes: number;
}

export interface SendOptions {
  session: Signed<Session>;
  keys: SessionKeys;
  landing: LandingAddress;
  disks: SourceDisk[];
  /** Of role 'source': keeps the digests of this host's own reads. Its entries must have been read under the present fence. */
  journal: Journal;
  /** `<lineage>/<token>`. */
  run: string;
  /** Makes the manifest when every disk's digest is known. */
  manifest: (diskDigests: string[]) => Manifest;
  /** Default: from the round trip, growing while it helps. */
  streams?: number | undefined;
  /** What is known of the round trip. Without it there are few streams until the first has connected. */
  roundTripMs?: number | undefined;
  limitBytesPerSecond?: number | null | undefined;
  /** Start paused. */
  paused?: boolean | undefined;
  /** Default: two, or one on a machine with one processor. */
  threads?: number | undefined;
  /** `auto` compresses only where the wire is the limit and only what shrinks. Default `auto`. */
  compress?: 'auto' | 'on' | 'off' | undefined;
  /** A stream without any progress for so long is given up. Default 20 s. */
  stallMs?: number | undefined;
  /** The job fails with 'landing-away' after so long without a stream. Default 60 s. */
  connectLimitMs?: number | undefined;
  log: LandingLog;
}

export interface SendSummary {
  plainBytes: number;
  wireBytes: number;
  retries: number;
  streams: number;
}

export interface SendJob {
  progress(): TransferProgress;
  /** Rejects with a SealiftError: 'landing-away', what the landing refused with, 'cancelled' after `stop`, … */
  readonly done: Promise<{ root: string; summary: SendSummary }>;
  /** Takes effect between chunks. */
  pause(): void;
  resume(): void;
  setLimit(bytesPerSecond: number | null): void;
  /** Ends the job and its threads; what was acknowledged stays at the landing. */
  stop(): Promise<void>;
}

/** Starts a transfer: sends what the landing does not hold, until all of it is durable there and the manifest is stored. */
export function startSending(options: SendOptions): SendJob {
  return startSendingWith(options, codecUrl);
}

/** The same with another codec: the bench measures by it what sealing costs. */
export function startSendingWith(options: SendOptions, codec: string): SendJob {
  return new Transfer(options, codec);
}

type Result = Awaited<SendJob['done']>;

class Transfer implements SendJob {
  readonly done: Promise<Result>;
  readonly #options: SendOptions;
  readonly #board: Board;
  readonly #memory: BoardMemory;
  readonly #rate = new Rate();
  readonly #resolve: (result: Result) => void;
  readonly #reject: (error: unknown) => void;
  readonly #settled: Promise<void>;
  #threads: Worker[] = [];
  #watch: NodeJS.Timeout | null = null;
  #tuning: TransferTuning | null = null;
  #lastLiveAt = performance.now();
  #lastProgress = { at: performance.now(), bytes: 0 };
  #root: string | null = null;
  #stored = false;
  #ending: Promise<void> | null = null;
  #trouble: string | null = null;

  constructor(options: SendOptions, codec: string) {
    this.#options = options;
    this.#memory = Board.memory(options.disks.map(({ sizeBytes }) => sizeBytes));
    this.#board = new Board(this.#memory);
    this.#board.limit = options.limitBytesPerSecond ?? null;
    this.#board.paused = options.paused ?? false;
    this.#board.compress = options.compress === 'on';
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    this.done = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#settled = promise.then(
      () => undefined,
      () => undefined,
    );
    try {
      this.#start(codec);
    } catch (error) {
      this.#end(error);
    }
  }

  progress(): TransferProgress {
    const board = this.#board;
    return {
      step: 'send',
      disks: this.#options.disks.map(({ vdev, sizeBytes }, disk) => ({
        vdev,
        verifiedBytes: board.doneBytesOf(disk),
        totalBytes: sizeBytes,
      })),
      wireBytes: board.counted('wireBytes'),
      bytesPerSecond: this.#rate.bytesPerSecond(),
      streams: board.liveStreams,
      retries: board.retries,
      paused: board.paused,
      limitBytesPerSecond: board.limit,
      trouble: this.#trouble,
    };
  }

  pause(): void {
    this.#board.paused = true;
  }

  resume(): void {
    this.#board.paused = false;
  }

  setLimit(bytesPerSecond: number | null): void {
    this.#board.limit = bytesPerSecond;
  }

  async stop(): Promise<void> {
    this.#end(new SealiftError('cancelled', 'the transfer was stopped'));
    await this.#settled;
  }

  #start(codec: string): void {
    const { disks, keys, session, landing, stallMs = defaultStallMs } = this.#options;
    this.#loadOwnDigests();
    const asked = this.#options.streams ?? Math.min(firstStreams(this.#options.roundTripMs ?? 0), this.#board.chunks);
    const streams = Math.min(mostStreams, Math.max(1, asked));
    // A small disk is over before a second thread has started.
    const useful = Math.max(1, Math.ceil(this.#board.chunks / chunksWorthAThread));
    const threads = Math.min(this.#options.threads ?? defaultThreads(), streams, useful);
    this.#tuning = new TransferTuning(this.#board, {
      streams,
      tunesStreams: this.#options.streams === undefined,
      compress: this.#options.compress ?? 'auto',
      lanes: threads * lanesPerThread,
      setStreams: (count) => {
        this.#tellAll({ kind: 'streams', streams: count });
      },
    });
    for (let thread = 0; thread < threads; thread += 1) {
      const data: SenderThreadData = {
        board: this.#memory,
        thread,
        threads,
        streams,
        codec,
        address: landing.address,
        port: landing.port,
        from: landing.from,
        key: keys.key,
        context: keys.context,
        clear: keys.clear,
        statement: canonicalBytes(session),
        disks: disks.map(({ vdev, path, sizeBytes }) => ({ vdev, path, sizeBytes })),
        stallMs,
      };
      this.#threads.push(this.#watched(startThread('sender-thread', data)));
    }
    this.#lastLiveAt = performance.now();
    this.#lastProgress.at = performance.now();
    this.#watch = setInterval(() => {
      try {
        this.#look();
      } catch (error) {
        this.#end(error);
      }
    }, lookMs);
  }

  /** What this host has read of the disks in this run before. */
  #loadOwnDigests(): void {
    const { journal, run, disks } = this.#options;
    journal.open(
      run,
      disks.map(({ sizeBytes }, disk) => ({ disk, sizeBytes })),
    );
    for (const disk of disks.keys()) {
      for (const { index, digest, zero } of journal.held(run, disk)) {
        const chunk = this.#board.chunkAt({ disk, index });
        if (chunk !== null) this.#board.setOwnDigest(chunk, digest, zero);
      }
    }
  }

  #watched(thread: Worker): Worker {
    thread.on('message', (message: FromSenderThread) => {
      try {
        this.#handle(message);
      } catch (error) {
        this.#end(error);
      }
    });
    thread.on('error', (error) => {
      this.#end(error);
    });
    thread.on('exit', () => {
      if (this.#ending === null) this.#end(new SealiftError('internal', 'a thread of the sender ended'));
    });
    return thread;
  }

  #handle(message: FromSenderThread): void {
    switch (message.kind) {
      case 'digests':
        this.#keepDigests(message.chunks);
        return;
      case 'stored':
        this.#stored = true;
        this.#look();
        return;
      case 'trouble':
        this.#trouble = hidePaths(message.error.message);
        this.#options.log.warn({ run: this.#options.run, error: message.error }, 'a stream was lost');
        return;
      case 'failed':
        this.#end(fromPlain(message.error));
        return;
      default:
        return;
    }
  }

  #keepDigests(chunks: readonly number[]): void {
    const { journal, run } = this.#options;
    const entries = chunks.flatMap((chunk) => {
      const { disk, index } = this.#board.placeOf(chunk);
      const digest = this.#board.ownDigest(chunk);
      return digest === null ? [] : [{ disk, index, digest: Buffer.from(digest), zero: this.#board.ownIsZero(chunk) }];
    });
    journal.record(run, entries);
  }

  #look(): void {
    const now = performance.now();
    const bytes = this.#board.doneBytes();
    this.#rate.note(bytes, now);
    if (bytes !== this.#lastProgress.bytes || this.#board.paused) this.#lastProgress = { at: now, bytes };
    if (this.#board.liveStreams > 0) this.#lastLiveAt = now;
    if (this.#board.isAllRead) this.#handManifest();
    if (this.#board.isAllDone && this.#stored) {
      this.#end(null);
      return;
    }
    this.#tuning?.look(now, bytes);
    const limitMs = this.#options.connectLimitMs ?? defaultConnectLimitMs;
    const { address, port } = this.#options.landing;
    const where = `${address}:${String(port)}`;
    if (now - this.#lastLiveAt > limitMs) {
      const text = `no stream to the landing at ${where} for ${String(limitMs)} ms: ${this.#trouble ?? 'no answer'}`;
      this.#end(new SealiftError('landing-away', text));
    } else if (now - this.#lastProgress.at > limitMs && this.#board.lossesSinceProgress > fruitlessLosses) {
      const text = `all streams to the landing at ${where} break: ${this.#trouble ?? 'no reason known'}`;
      this.#end(new SealiftError('landing-away', text));
    }
  }

  /** All chunks have been read: the manifest follows on their heels, with the digests of this host's own reads. */
  #handManifest(): void {
    if (this.#root !== null) return;
    const digests = this.#options.disks.map((_, disk) => this.#board.ownDigestsOf(disk));
    const manifest = this.#options.manifest(
      digests.map((own) => {
        const sum = diskDigest();
        sum.add(own);
        return sum.end();
      }),
    );
    this.#root = manifestRoot(manifest);
    const bytes = encodeManifest(
      manifest,
      digests.map((own) => [own]),
    );
    this.#threads[0]?.postMessage({ kind: 'manifest', bytes } satisfies ToSenderThread);
  }

  #tellAll(message: ToSenderThread): void {
    for (const thread of this.#threads) thread.postMessage(message);
  }

  /** Ends the threads, then the job: with its result when `error` is null. */
  #end(error: unknown): void {
    if (this.#ending !== null) return;
    if (this.#watch !== null) clearInterval(this.#watch);
    this.#board.end();
    this.#ending = this.#join().then(
      () => {
        if (error !== null || this.#root === null) {
          this.#reject(error);
          return;
        }
        const summary = {
          plainBytes: this.#board.doneBytes(),
          wireBytes: this.#board.counted('wireBytes'),
          retries: this.#board.retries,
          streams: this.#board.mostStreams,
        };
        this.#resolve({ root: this.#root, summary });
      },
      (joinError: unknown) => {
        this.#reject(error ?? joinError);
      },
    );
  }

  async #join(): Promise<void> {
    this.#tellAll({ kind: 'close' });
    await Promise.all(this.#threads.map(joinThread));
  }
}

const chunksWorthAThread = 8;
const lookMs = 20;
/** Streams that break so often without one chunk acknowledged will not do better. */
const fruitlessLosses = 10;
