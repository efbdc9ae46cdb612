import { rateWindowMs } from './tuning.ts';

/** The speed of something that is counted in bytes, over the last seconds. */
export class Rate {
  readonly #samples: { atMs: number; bytes: number }[] = [];

  /** Notes that `bytes` in all had been done at `atMs`. */
  note(bytes: number, atMs = performance.now()): void {
    this.#samples.push({ atMs, bytes });
    while ((this.#samples[1]?.atMs ?? atMs) < atMs - rateWindowMs) this.#samples.shift();
  }

  bytesPerSecond(nowMs = performance.now()): number {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || nowMs - first.atMs < 1) return 0;
    // Long after the last bytes the speed is nothing.
    if (nowMs - last.atMs > rateWindowMs) return 0;
    return ((last.bytes - first.bytes) * 1000) / (nowMs - first.atMs);
  }
}
