import type { OnReadOpts } from 'node:net';
import { SealiftError } from '../domain/error.ts';

/** What a socket holds back while nobody wants bytes; a record's head fits. */
const spillBytes = 64;

/**
 * Reads a socket straight into buffers of one's own: `want` names the next one, and is told when it is full. While none is
 * wanted the socket is not read, and the sender is held back by TCP.
 */
export class Receiver {
  /** To be given to the socket's constructor. */
  readonly onread: OnReadOpts;
  /** All bytes so far. */
  receivedBytes = 0;
  receivedAt = performance.now();
  readonly #spill = Buffer.alloc(spillBytes);
  /** The part of the spill that waits to be wanted. */
  #waiting: Buffer = this.#spill.subarray(0, 0);
  #region: Buffer | null = null;
  #filled = 0;
  #full: () => void = () => undefined;
  #intoRegion = false;
  #busy = false;
  #resume: () => void = () => undefined;

  constructor() {
    this.onread = { buffer: () => this.#next(), callback: (bytes) => this.#got(bytes) };
  }

  /** `resume` makes the socket go on after a pause. */
  attach(resume: () => void): void {
    this.#resume = resume;
  }

  /** Asks for `region.length` bytes; `full` is called once when they are there, and asks for the next ones now or later. */
  want(region: Buffer, full: () => void): void {
    if (this.#region !== null) throw new SealiftError('internal', 'a second buffer is wanted of one socket');
    this.#region = region;
    this.#filled = 0;
    this.#full = full;
    if (this.#busy) return;
    this.#busy = true;
    this.#settle();
    this.#busy = false;
    if (this.#wanted()) this.#resume();
  }

  /** Asks for nothing any more. */
  stop(): void {
    this.#region = null;
    this.#full = () => undefined;
  }

  #wanted(): boolean {
    return this.#region !== null;
  }

  #next(): Buffer {
    this.#intoRegion = this.#region !== null;
    return this.#region === null ? this.#spill : this.#region.subarray(this.#filled);
  }

  #got(bytes: number): boolean {
    this.receivedBytes += bytes;
    this.receivedAt = performance.now();
    this.#busy = true;
    if (this.#intoRegion) this.#filled += bytes;
    // Node asks for a buffer once more after it was told to pause, so these bytes came before anybody wanted them.
    else this.#waiting = this.#spill.subarray(0, bytes);
    this.#settle();
    this.#busy = false;
    return this.#wanted();
  }

  /** Fills the region from the spill and reports full ones, until there is nothing more to give or to fill. */
  #settle(): void {
    while (this.#region !== null) {
      const copied = this.#waiting.copy(this.#region, this.#filled);
      this.#waiting = this.#waiting.subarray(copied);
      this.#filled += copied;
      if (this.#filled < this.#region.length) return;
      const full = this.#full;
      this.#region = null;
      full();
    }
  }
}
