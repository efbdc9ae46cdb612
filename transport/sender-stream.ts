import { SealiftError, isSealiftError } from '../domain/error.ts';
import type * as control from './control.ts';
import { SenderConnection } from './sender-connection.ts';
import type { StreamHost } from './sender-connection.ts';

const firstBackoffMs = 100;
const mostBackoffMs = 5_000;
const mostRedials = 4;
/** Refusals that may pass by themselves. */
const passing = new Set(['landing-away', 'host-away']);

/** One stream to the landing: makes its connection, again and again when it breaks, and carries records on it. */
export class SenderStream {
  readonly number: number;
  /** Records that it has or is to get, and that are not wholly in the kernel's hands. */
  load = 0;
  /** It shall end when it has nothing under way: it is given nothing more to carry. */
  leaving = false;
  readonly #host: StreamHost;
  #connection: SenderConnection | null = null;
  #retired = false;

  constructor(number: number, host: StreamHost) {
    this.number = number;
    this.#host = host;
  }

  get live(): boolean {
    return this.#connection?.live === true;
  }

  /** Whether nothing is under way on it. */
  get idle(): boolean {
    return this.load === 0 && (this.#connection?.idle ?? true);
  }

  /** Returns when the job has ended or the stream was retired. */
  async run(): Promise<void> {
    let backoffMs = firstBackoffMs;
    let redials = 0;
    while (!this.#over()) {
      const connection = new SenderConnection(this.number, this.#host, redials < mostRedials);
      this.#connection = connection;
      const end = await connection.ended;
      this.#connection = null;
      if (end === 'redial') {
        redials += 1;
        continue;
      }
      if (this.#over()) return;
      this.#host.changed();
      if (isSealiftError(end) && connection.refusal && !passing.has(end.type)) {
        this.#host.refused(end);
        return;
      }
      this.#host.trouble(end);
      backoffMs = connection.wasLive ? firstBackoffMs : Math.min(mostBackoffMs, backoffMs * 2);
      await this.#rest(backoffMs * (0.5 + Math.random()));
    }
  }

  /** Sends a record and before it `digest`, for which `load` has been raised; returns when the kernel has all of it, or the connection is gone and the chunk back in the queue. */
  async carry(chunk: number, digest: control.RecordDigest, header: Buffer, body: Buffer): Promise<void> {
    try {
      if (this.#connection === null) this.#host.board.requeue(chunk);
      else await this.#connection.carry(chunk, digest, header, body);
    } finally {
      this.load -= 1;
      this.#host.changed();
    }
  }

  /** Hands the manifest over behind the records under way, if the stream is live. */
  sendManifest(parts: Iterable<Buffer>): void {
    void this.#connection?.sendManifest(parts);
  }

  /** Looks for a stall; to be called now and then. */
  check(): void {
    this.#connection?.check();
  }

  /** Ends it for good. */
  retire(): void {
    this.#retired = true;
    this.#connection?.end(new SealiftError('cancelled', 'the stream was closed'));
  }

  #over(): boolean {
    return this.#retired || this.#host.board.ended;
  }

  /** Waits before the next try; not beyond the end of the job. */
  async #rest(ms: number): Promise<void> {
    const { board } = this.#host;
    const untilMs = performance.now() + ms;
    for (;;) {
      const { wakes } = board;
      const leftMs = untilMs - performance.now();
      if (leftMs <= 0 || this.#over()) return;
      await board.changed(wakes, Math.min(leftMs, 1_000));
    }
  }
}
