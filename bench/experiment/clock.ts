import type { Crossing } from './results.ts';
import type { Ground } from './ground.ts';

const everyMs = 200;
/** What is more is thinned out. */
const mostSamples = 300;
const mib = 1024 * 1024;

/** Times one crossing, and takes what it costs between its first phase and its last. What is done outside of them costs nothing. */
export class Clock {
  readonly #ground: Ground;
  readonly #phases: Crossing['phases'] = [];
  readonly #carried: Crossing['carried'] = [];
  #begun: { atMs: number; wireBytes: number; seconds: [number, number] } | null = null;
  #outsideMs = 0;
  #onFirstMib: (() => void) | null;
  #timer: NodeJS.Timeout | null = null;
  #asked: Promise<void> = Promise.resolve();

  /** `onFirstMib` is called once when the line has carried so much. */
  constructor(ground: Ground, onFirstMib: () => void) {
    this.#ground = ground;
    this.#onFirstMib = onFirstMib;
  }

  /** A phase in which bytes get nearer to the destination. */
  bytes<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
    return this.#phase(name, true, work);
  }

  /** A phase that has nothing to do with bytes. */
  beside<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
    return this.#phase(name, false, work);
  }

  /** What is done between phases and belongs to none of them: it is not timed. */
  async outside<Result>(work: () => Promise<Result>): Promise<Result> {
    const seconds = this.#seconds();
    const began = performance.now();
    const result = await work();
    this.#outsideMs += performance.now() - began;
    const [source, destination] = this.#seconds();
    if (this.#begun !== null)
      this.#begun.seconds = [
        this.#begun.seconds[0] + source - seconds[0],
        this.#begun.seconds[1] + destination - seconds[1],
      ];
    return result;
  }

  /** A whole that tells its phases by itself afterwards. */
  async whole(work: () => Promise<Crossing['phases']>): Promise<void> {
    await this.#begin();
    this.#phases.push(...(await work()));
  }

  /** What it took. */
  async end(plainBytes: number): Promise<Crossing> {
    const begun = this.#begun;
    if (begun === null) throw new Error('nothing was timed');
    const totalMs = performance.now() - begun.atMs - this.#outsideMs;
    const [source, destination] = this.#seconds();
    await this.stop();
    await this.#sample();
    const { source: from, destination: to } = this.#ground;
    return {
      phases: this.#phases,
      totalMs,
      plainBytes,
      wireBytes: this.#carried.at(-1)?.[1] ?? 0,
      processorSeconds: { source: source - begun.seconds[0], destination: destination - begun.seconds[1] },
      peakMib: { source: from.meter.peakMib(), destination: to.meter.peakMib() },
      carried: this.#carried,
    };
  }

  /** Looks at the line no more. */
  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#asked;
  }

  async #phase<Result>(name: string, bytes: boolean, work: () => Promise<Result>): Promise<Result> {
    await this.#begin();
    const began = performance.now();
    const result = await work();
    this.#phases.push({ name, ms: performance.now() - began, bytes });
    return result;
  }

  async #begin(): Promise<void> {
    if (this.#begun !== null) return;
    const { lab, source, destination } = this.#ground;
    for (const { meter } of [source, destination]) meter.forgetPeak();
    const [{ wireBytes }] = await lab.carried();
    this.#begun = { atMs: performance.now(), wireBytes, seconds: this.#seconds() };
    this.#carried.push([0, 0]);
    let everyth = 1;
    let count = 0;
    this.#timer = setInterval(() => {
      count += 1;
      if (count % everyth !== 0) return;
      this.#asked = this.#sample().catch(() => undefined);
      if (this.#carried.length < mostSamples) return;
      everyth *= 2;
      const kept = this.#carried.filter((_, index) => index % 2 === 0);
      this.#carried.splice(0, this.#carried.length, ...kept);
    }, everyMs);
  }

  async #sample(): Promise<void> {
    const begun = this.#begun;
    if (begun === null) return;
    const [{ wireBytes }] = await this.#ground.lab.carried();
    const bytes = wireBytes - begun.wireBytes;
    this.#carried.push([Math.round(performance.now() - begun.atMs), bytes]);
    if (bytes < mib) return;
    this.#onFirstMib?.();
    this.#onFirstMib = null;
  }

  #seconds(): [number, number] {
    return [this.#ground.source.meter.seconds(), this.#ground.destination.meter.seconds()];
  }
}
