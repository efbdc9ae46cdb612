import type { Board } from './sender-board.ts';
import { Tuner } from './tuner.ts';
import { mostAutomaticStreams, mostFirstStreams } from './tuning.ts';

export interface TuningOptions {
  streams: number;
  tunesStreams: boolean;
  compress: 'auto' | 'on' | 'off';
  lanes: number;
  setStreams(streams: number): void;
}

interface Figures {
  atMs: number;
  bytes: number;
  blockedNs: number;
  limitedNs: number;
  busy: number;
  from: number;
  to: number;
}

const leastStretchMs = 1_000;
const stretchRoundTrips = 10;
const msPerStream = 10;

/** How many streams to begin with on a line of that round trip. */
export function firstStreams(roundTripMs: number): number {
  return Math.min(mostFirstStreams, Math.max(2, Math.ceil(roundTripMs / msPerStream)));
}

/** Feeds the tuner from the board's figures and sets what it says. */
export class TransferTuning {
  readonly #board: Board;
  readonly #options: TuningOptions;
  readonly #tuner: Tuner;
  #last: Figures;
  #isMeasured = false;

  constructor(board: Board, options: TuningOptions) {
    this.#board = board;
    this.#options = options;
    this.#tuner = new Tuner(
      { streams: options.streams, compress: options.compress === 'on' },
      {
        mostStreams: options.tunesStreams ? Math.max(options.streams, mostAutomaticStreams) : options.streams,
        compress: options.compress === 'auto',
      },
    );
    this.#last = this.#figures(performance.now(), 0);
  }

  /** To be called often; `bytes` are the plain bytes done. */
  look(nowMs: number, bytes: number): void {
    const { roundTripMs } = this.#board;
    if (roundTripMs === null) return;
    this.#measured(roundTripMs);
    const ms = nowMs - this.#last.atMs;
    if (ms < Math.max(leastStretchMs, stretchRoundTrips * roundTripMs)) return;
    const last = this.#last;
    const now = this.#figures(nowMs, bytes);
    this.#last = now;
    if (this.#board.paused) return;
    const before = this.#tuner.setting;
    const packed = now.from - last.from;
    const setting = this.#tuner.step({
      ms,
      plainBytes: now.bytes - last.bytes,
      blockedShare: (now.blockedNs - last.blockedNs) / 1e6 / (ms * this.#options.lanes),
      landingBusy: now.busy > last.busy,
      limited: (now.limitedNs - last.limitedNs) / 1e6 > ms / 2,
      ratio: packed === 0 ? null : (now.to - last.to) / packed,
    });
    this.#board.compress = setting.compress;
    if (setting.streams !== before.streams) this.#options.setStreams(setting.streams);
  }

  /** The first connection has shown the round trip: a longer one than was thought takes more streams at once. */
  #measured(roundTripMs: number): void {
    if (this.#isMeasured || !this.#options.tunesStreams) return;
    this.#isMeasured = true;
    const streams = Math.min(firstStreams(roundTripMs), Math.max(1, this.#board.chunks));
    if (streams <= this.#tuner.setting.streams) return;
    this.#tuner.setting = { ...this.#tuner.setting, streams };
    this.#options.setStreams(streams);
  }

  #figures(atMs: number, bytes: number): Figures {
    return {
      atMs,
      bytes,
      blockedNs: this.#board.counted('blockedNs'),
      limitedNs: this.#board.counted('limitedNs'),
      busy: this.#board.counted('busyBeats'),
      from: this.#board.counted('packedFrom'),
      to: this.#board.counted('packedTo'),
    };
  }
}
