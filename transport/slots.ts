import { SealiftError } from '../domain/error.ts';
import { chunkBytes } from '../domain/chunks.ts';
import { alignedBuffer } from '../storage/aligned.ts';

/**
 * Page-aligned chunk buffers, at most `count` and at most `limit` of them in use. Those not in use yet take no memory; the
 * last one given back is the next one taken.
 */
export class Slots {
  readonly count: number;
  #limit: number;
  #used = 0;
  readonly #free: Buffer[] = [];
  readonly #waiting: ((slot: Buffer) => void)[] = [];

  constructor(count: number) {
    this.count = count;
    this.#limit = count;
    const all = alignedBuffer(count * chunkBytes);
    for (let at = count - 1; at >= 0; at -= 1) this.#free.push(all.subarray(at * chunkBytes, (at + 1) * chunkBytes));
  }

  /** How many may be in use from now on; those beyond come back when they are given. */
  set limit(limit: number) {
    this.#limit = Math.min(this.count, limit);
    while (this.#waiting.length > 0 && this.#used < this.#limit) this.#hand();
  }

  /** Calls `use` with a slot, at once when one is free, else in turn. */
  take(use: (slot: Buffer) => void): void {
    this.#waiting.push(use);
    if (this.#used < this.#limit) this.#hand();
  }

  taken(): Promise<Buffer> {
    return new Promise((resolve) => {
      this.take(resolve);
    });
  }

  give(slot: Buffer): void {
    this.#used -= 1;
    this.#free.push(slot);
    if (this.#used < this.#limit) this.#hand();
  }

  #hand(): void {
    const use = this.#waiting.shift();
    if (use === undefined) return;
    const slot = this.#free.pop();
    if (slot === undefined) throw new SealiftError('internal', 'more chunk buffers in use than there are');
    this.#used += 1;
    use(slot);
  }
}
