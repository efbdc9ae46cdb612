import { chunkBytes } from '../domain/manifest.ts';
import { alignedBuffer } from '../storage/aligned.ts';

/** A fixed number of page-aligned chunk buffers. Those not in use yet take no memory; the last one given back is the next one taken. */
export class Slots {
  readonly count: number;
  readonly #free: Buffer[] = [];
  readonly #waiting: ((slot: Buffer) => void)[] = [];

  constructor(count: number) {
    this.count = count;
    const all = alignedBuffer(count * chunkBytes);
    for (let at = count - 1; at >= 0; at -= 1) this.#free.push(all.subarray(at * chunkBytes, (at + 1) * chunkBytes));
  }

  /** Calls `use` with a slot, at once when one is free, else in turn. Returns whether it was at once. */
  take(use: (slot: Buffer) => void): boolean {
    const slot = this.#free.pop();
    if (slot === undefined) {
      this.#waiting.push(use);
      return false;
    }
    use(slot);
    return true;
  }

  taken(): Promise<Buffer> {
    return new Promise((resolve) => this.take(resolve));
  }

  give(slot: Buffer): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(slot);
    else next(slot);
  }
}
