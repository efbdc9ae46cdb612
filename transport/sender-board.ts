import { chunkCount, chunkLength } from '../domain/chunks.ts';
import type { Place } from './control.ts';
import { mostUnacknowledgedBytes } from './tuning.ts';

/** The memory that a sender's threads share; its size is some 75 bytes a chunk. */
export interface BoardMemory {
  sizes: number[];
  numbers: SharedArrayBuffer;
  totals: SharedArrayBuffer;
  states: SharedArrayBuffer;
  departed: SharedArrayBuffer;
  own: SharedArrayBuffer;
  ownKnown: SharedArrayBuffer;
  held: SharedArrayBuffer;
  heldKnown: SharedArrayBuffer;
}

const number = {
  cursor: 0,
  unacknowledgedBytes: 1,
  paused: 2,
  planned: 3,
  ended: 4,
  wakes: 5,
  liveStreams: 6,
  mostStreams: 7,
  retries: 8,
  compress: 9,
  limitChanges: 10,
  lossesSinceProgress: 11,
  ownDigests: 12,
  roundTripUs: 13,
} as const;
const total = {
  counter: 0,
  limit: 1,
  turnNs: 2,
  wireBytes: 3,
  doneChunks: 4,
  blockedNs: 5,
  limitedNs: 6,
  workNs: 7,
  busyBeats: 8,
  packedFrom: 9,
  packedTo: 10,
  disks: 11,
} as const;
const state = { waits: 0, taken: 1, done: 2 } as const;
const known = { no: 0, data: 1, zero: 2 } as const;
const digestBytes = 32;
/** Unspent time that a rate limit gives back, so that late timers do not lower the rate. */
const burstNs = 100_000_000n;

/** Counts that only grow, over all threads. */
export type Tally = 'wireBytes' | 'blockedNs' | 'limitedNs' | 'workNs' | 'busyBeats' | 'packedFrom' | 'packedTo';

/** What a sender's threads know together: the queue of chunks, the session's counter, digests, limit and figures. */
export class Board {
  readonly chunks: number;
  readonly #sizes: number[];
  readonly #first: number[];
  readonly #numbers: Int32Array;
  readonly #totals: BigInt64Array;
  readonly #states: Uint8Array;
  /** Bytes of a chunk that are on the way. */
  readonly #departed: Int32Array;
  readonly #own: Buffer;
  readonly #ownKnown: Uint8Array;
  readonly #held: Buffer;
  readonly #heldKnown: Uint8Array;

  static memory(sizes: number[]): BoardMemory {
    const chunks = sizes.reduce((sum, sizeBytes) => sum + chunkCount(sizeBytes), 0);
    return {
      sizes,
      numbers: new SharedArrayBuffer(4 * Object.keys(number).length),
      totals: new SharedArrayBuffer(8 * (total.disks + sizes.length)),
      states: new SharedArrayBuffer(chunks),
      departed: new SharedArrayBuffer(4 * chunks),
      own: new SharedArrayBuffer(digestBytes * chunks),
      ownKnown: new SharedArrayBuffer(chunks),
      held: new SharedArrayBuffer(digestBytes * chunks),
      heldKnown: new SharedArrayBuffer(chunks),
    };
  }

  constructor(memory: BoardMemory) {
    this.#sizes = memory.sizes;
    let chunks = 0;
    this.#first = memory.sizes.map((sizeBytes) => {
      const first = chunks;
      chunks += chunkCount(sizeBytes);
      return first;
    });
    this.chunks = chunks;
    this.#numbers = new Int32Array(memory.numbers);
    this.#totals = new BigInt64Array(memory.totals);
    this.#states = new Uint8Array(memory.states);
    this.#departed = new Int32Array(memory.departed);
    this.#own = Buffer.from(memory.own);
    this.#ownKnown = new Uint8Array(memory.ownKnown);
    this.#held = Buffer.from(memory.held);
    this.#heldKnown = new Uint8Array(memory.heldKnown);
  }

  /** The number of a chunk among all of the run's, and back. */
  chunkAt({ disk, index }: Place): number | null {
    const sizeBytes = this.#sizes[disk];
    if (sizeBytes === undefined || index >= chunkCount(sizeBytes)) return null;
    return (this.#first[disk] as number) + index;
  }

  placeOf(chunk: number): Place & { lengthBytes: number } {
    let disk = this.#first.length - 1;
    while ((this.#first[disk] as number) > chunk) disk -= 1;
    const index = chunk - (this.#first[disk] as number);
    return { disk, index, lengthBytes: chunkLength(this.#sizes[disk] as number, index) };
  }

  /** The next chunk, for the caller alone; null when there is none to be had now. */
  claim(): number | null {
    if (this.paused || this.ended) return null;
    while (Atomics.load(this.#numbers, number.cursor) < this.chunks) {
      const chunk = Atomics.add(this.#numbers, number.cursor, 1);
      if (chunk >= this.chunks) break;
      if (Atomics.compareExchange(this.#states, chunk, state.waits, state.taken) === state.waits) return chunk;
    }
    return null;
  }

  /**
   * A claimed chunk is durable at the landing, whichever stream says so: somebody on the way may have carried a record over
   * from another one.
   */
  finish(chunk: number): void {
    if (Atomics.compareExchange(this.#states, chunk, state.taken, state.done) !== state.taken) return;
    this.#arrived(chunk);
    const { disk, lengthBytes } = this.placeOf(chunk);
    Atomics.add(this.#totals, total.disks + disk, BigInt(lengthBytes));
    Atomics.add(this.#totals, total.doneChunks, 1n);
    Atomics.store(this.#numbers, number.lossesSinceProgress, 0);
    this.wake();
  }

  /** A claimed chunk may not have got there: somebody takes it again. */
  requeue(chunk: number): void {
    if (Atomics.compareExchange(this.#states, chunk, state.taken, state.waits) !== state.taken) return;
    this.#arrived(chunk);
    for (;;) {
      const cursor = Atomics.load(this.#numbers, number.cursor);
      if (cursor <= chunk) break;
      if (Atomics.compareExchange(this.#numbers, number.cursor, cursor, chunk) === cursor) break;
    }
    Atomics.add(this.#numbers, number.retries, 1);
    this.wake();
  }

  /** Waits until `bytes` more of a claimed chunk may be on the way; false when `isOver` by then. */
  async depart(chunk: number, bytes: number, isOver: () => boolean): Promise<boolean> {
    for (;;) {
      const { wakes } = this;
      if (isOver()) return false;
      const now = Atomics.load(this.#numbers, number.unacknowledgedBytes);
      if (now > 0 && now + bytes > mostUnacknowledgedBytes) await this.changed(wakes);
      else if (Atomics.compareExchange(this.#numbers, number.unacknowledgedBytes, now, now + bytes) === now) break;
    }
    Atomics.add(this.#departed, chunk, bytes);
    // Somebody on the way may have brought it there before.
    if (Atomics.load(this.#states, chunk) !== state.taken) this.#arrived(chunk);
    return true;
  }

  /** Nothing of a chunk is on the way any more. */
  #arrived(chunk: number): void {
    Atomics.sub(this.#numbers, number.unacknowledgedBytes, Atomics.exchange(this.#departed, chunk, 0));
  }

  get isAllDone(): boolean {
    return Number(Atomics.load(this.#totals, total.doneChunks)) === this.chunks;
  }

  /** The session's next counter: never given twice. */
  nextCounter(): bigint {
    return Atomics.add(this.#totals, total.counter, 1n) + 1n;
  }

  /** To be read before looking for work, and given to `changed` when there was none. */
  get wakes(): number {
    return Atomics.load(this.#numbers, number.wakes);
  }

  wake(): void {
    Atomics.add(this.#numbers, number.wakes, 1);
    Atomics.notify(this.#numbers, number.wakes);
  }

  /** When something has changed since `wakes` was read, or after `limitMs`. */
  async changed(wakes: number, limitMs = 1_000): Promise<void> {
    const wait = Atomics.waitAsync(this.#numbers, number.wakes, wakes, limitMs);
    if (wait.async) await wait.value;
  }

  ownDigest(chunk: number): Buffer | null {
    return Atomics.load(this.#ownKnown, chunk) === known.no ? null : slice(this.#own, chunk);
  }

  ownIsZero(chunk: number): boolean {
    return Atomics.load(this.#ownKnown, chunk) === known.zero;
  }

  setOwnDigest(chunk: number, digest: Buffer, zero: boolean): void {
    digest.copy(this.#own, chunk * digestBytes);
    const before = Atomics.exchange(this.#ownKnown, chunk, zero ? known.zero : known.data);
    if (before === known.no) Atomics.add(this.#numbers, number.ownDigests, 1);
  }

  /** Whether this host has read every chunk, so that the manifest is known. */
  get isAllRead(): boolean {
    return Atomics.load(this.#numbers, number.ownDigests) === this.chunks;
  }

  /** A disk's own digests, 32 bytes a chunk; zeros where a chunk was not read yet. */
  ownDigestsOf(disk: number): Buffer {
    const first = this.#first[disk] as number;
    const count = chunkCount(this.#sizes[disk] as number);
    return this.#own.subarray(first * digestBytes, (first + count) * digestBytes);
  }

  heldDigest(chunk: number): Buffer | null {
    return Atomics.load(this.#heldKnown, chunk) === known.no ? null : slice(this.#held, chunk);
  }

  setHeldDigest(chunk: number, digest: Buffer): void {
    digest.copy(this.#held, chunk * digestBytes);
    Atomics.store(this.#heldKnown, chunk, known.data);
  }

  /** Whether the landing has said what it holds; nothing is sent before. */
  get planned(): boolean {
    return Atomics.load(this.#numbers, number.planned) === 1;
  }

  setPlanned(): void {
    Atomics.store(this.#numbers, number.planned, 1);
    this.wake();
  }

  get paused(): boolean {
    return Atomics.load(this.#numbers, number.paused) === 1;
  }

  set paused(paused: boolean) {
    Atomics.store(this.#numbers, number.paused, paused ? 1 : 0);
    this.wake();
  }

  get ended(): boolean {
    return Atomics.load(this.#numbers, number.ended) === 1;
  }

  end(): void {
    Atomics.store(this.#numbers, number.ended, 1);
    this.wake();
  }

  get compress(): boolean {
    return Atomics.load(this.#numbers, number.compress) === 1;
  }

  set compress(compress: boolean) {
    Atomics.store(this.#numbers, number.compress, compress ? 1 : 0);
  }

  /** Bytes a second on the wire, null for no limit. */
  get limit(): number | null {
    const limit = Number(Atomics.load(this.#totals, total.limit));
    return limit === 0 ? null : limit;
  }

  set limit(bytesPerSecond: number | null) {
    Atomics.store(
      this.#totals,
      total.limit,
      BigInt(bytesPerSecond === null ? 0 : Math.max(1, Math.round(bytesPerSecond))),
    );
    Atomics.store(this.#totals, total.turnNs, 0n);
    Atomics.add(this.#numbers, number.limitChanges, 1);
    this.wake();
  }

  get limitChanges(): number {
    return Atomics.load(this.#numbers, number.limitChanges);
  }

  /** Takes the turn for `bytes` under the limit; returns when it comes, in nanoseconds of the machine's monotonic clock. */
  reserve(bytes: number, bytesPerSecond: number, nowNs: bigint): bigint {
    const costNs = BigInt(Math.ceil((bytes * 1e9) / bytesPerSecond));
    for (;;) {
      const turnNs = Atomics.load(this.#totals, total.turnNs);
      const startNs = turnNs > nowNs - burstNs ? turnNs : nowNs - burstNs;
      if (Atomics.compareExchange(this.#totals, total.turnNs, turnNs, startNs + costNs) === turnNs) return startNs;
    }
  }

  streamUp(): void {
    const live = Atomics.add(this.#numbers, number.liveStreams, 1) + 1;
    if (live > Atomics.load(this.#numbers, number.mostStreams)) Atomics.store(this.#numbers, number.mostStreams, live);
    this.wake();
  }

  streamDown(): void {
    Atomics.sub(this.#numbers, number.liveStreams, 1);
    Atomics.add(this.#numbers, number.lossesSinceProgress, 1);
    this.wake();
  }

  /** The shortest time that a connection took to come about, in milliseconds; null before there is one. */
  get roundTripMs(): number | null {
    const us = Atomics.load(this.#numbers, number.roundTripUs);
    return us === 0 ? null : us / 1000;
  }

  noteRoundTrip(ms: number): void {
    const us = Math.max(1, Math.round(ms * 1000));
    for (;;) {
      const known = Atomics.load(this.#numbers, number.roundTripUs);
      if (known !== 0 && known <= us) return;
      if (Atomics.compareExchange(this.#numbers, number.roundTripUs, known, us) === known) return;
    }
  }

  get liveStreams(): number {
    return Atomics.load(this.#numbers, number.liveStreams);
  }

  get mostStreams(): number {
    return Atomics.load(this.#numbers, number.mostStreams);
  }

  get retries(): number {
    return Atomics.load(this.#numbers, number.retries);
  }

  get lossesSinceProgress(): number {
    return Atomics.load(this.#numbers, number.lossesSinceProgress);
  }

  countRetry(): void {
    Atomics.add(this.#numbers, number.retries, 1);
  }

  doneBytesOf(disk: number): number {
    return Number(Atomics.load(this.#totals, total.disks + disk));
  }

  doneBytes(): number {
    return this.#sizes.reduce((sum, _, disk) => sum + this.doneBytesOf(disk), 0);
  }

  count(tally: Tally, amount: number): void {
    Atomics.add(this.#totals, total[tally], BigInt(Math.round(amount)));
  }

  counted(tally: Tally): number {
    return Number(Atomics.load(this.#totals, total[tally]));
  }
}

function slice(digests: Buffer, chunk: number): Buffer {
  return digests.subarray(chunk * digestBytes, (chunk + 1) * digestBytes);
}
