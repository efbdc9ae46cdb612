import { parentPort } from 'node:worker_threads';
import { SealiftError } from '../domain/error.ts';
import { chunkBytes } from '../domain/chunks.ts';
import { encodeHeader, headerBytes } from '../seal/chunk.ts';
import type { ChunkKeys } from '../seal/chunk.ts';
import type { SessionKeys } from '../seal/session.ts';
import { openDisk } from '../storage/disk.ts';
import type { Disk } from '../storage/disk.ts';
import { isZero } from '../storage/zero.ts';
import { loadCodec } from './codec.ts';
import type { Codec } from './codec.ts';
import { CompressChoice } from './compress-choice.ts';
import { manifestParts } from './manifest-parts.ts';
import { Board } from './sender-board.ts';
import type { FromSenderThread, SenderThreadData, ToSenderThread } from './sender-messages.ts';
import { SenderStream } from './sender-stream.ts';
import type { StreamHost } from './sender-connection.ts';
import { Slots } from './slots.ts';
import { leaveThread, threadData, toPlain } from './threads.ts';
import { lanesPerThread, senderSlots } from './tuning.ts';

/** A thread of the sender: claims chunks and does everything to them, on streams of its own. */
class SenderThread implements StreamHost {
  readonly board: Board;
  readonly address: string;
  readonly port: number;
  readonly from: string | undefined;
  readonly keys: SessionKeys;
  readonly statement: Buffer;
  readonly plan: { vdev: string; sizeBytes: number }[];
  readonly stallMs: number;
  readonly #data: SenderThreadData;
  readonly #codec: Codec;
  readonly #chunkKeys: ChunkKeys[];
  readonly #disks: Disk[];
  readonly #slots: Slots;
  readonly #streams = new Map<number, { stream: SenderStream; ran: Promise<void> }>();
  readonly #lanes: Promise<void>[] = [];
  readonly #choice = new CompressChoice();
  readonly #checks: NodeJS.Timeout;
  readonly #digests: number[] = [];
  #waiting: (() => void)[] = [];
  #manifest: Buffer | null = null;
  #manifestSentBy: SenderStream | null = null;

  constructor(data: SenderThreadData, codec: Codec, disks: Disk[]) {
    this.#data = data;
    this.#codec = codec;
    this.#disks = disks;
    this.board = new Board(data.board);
    this.address = data.address;
    this.port = data.port;
    this.from = data.from;
    this.keys = { key: Buffer.from(data.key), context: Buffer.from(data.context), clear: data.clear };
    this.statement = Buffer.from(data.statement);
    this.plan = data.disks.map(({ vdev, sizeBytes }) => ({ vdev, sizeBytes }));
    this.stallMs = data.stallMs;
    this.#chunkKeys = disks.map((_, disk) => codec.keys(this.keys, disk));
    this.#slots = new Slots(Math.max(1, Math.floor(senderSlots / data.threads)));
    this.#checks = setInterval(
      () => {
        for (const { stream } of this.#streams.values()) stream.check();
        this.#dismiss();
        this.#tellDigests();
      },
      Math.max(10, Math.min(1_000, data.stallMs / 4)),
    );
    this.setStreams(data.streams);
  }

  changed(): void {
    this.#sendManifest();
    for (const wake of this.#waiting.splice(0)) wake();
  }

  trouble(error: unknown): void {
    this.#tell({ kind: 'trouble', error: toPlain(error) });
  }

  refused(error: SealiftError): void {
    this.#fail(error);
  }

  stored(): void {
    this.#manifest = null;
    this.#tell({ kind: 'stored' });
  }

  /** Takes its share of `streams`, and a lane for each of them. */
  setStreams(streams: number): void {
    const { thread, threads } = this.#data;
    for (let number = thread; number < streams; number += threads) {
      if (this.#streams.has(number)) continue;
      const stream = new SenderStream(number, this);
      this.#streams.set(number, { stream, ran: stream.run() });
    }
    for (const [number, { stream }] of this.#streams) stream.leaving = number >= streams;
    const lanes = Math.min(this.#slots.count, Math.max(lanesPerThread, this.#streams.size));
    while (this.#lanes.length < lanes) this.#lanes.push(this.#lane());
  }

  /** Ends streams that are not wanted any more, when what they carried has arrived. */
  #dismiss(): void {
    for (const [number, { stream }] of this.#streams) {
      if (!stream.leaving || !stream.idle) continue;
      stream.retire();
      this.#streams.delete(number);
    }
  }

  handManifest(bytes: Buffer): void {
    this.#manifest = bytes;
    this.#sendManifest();
  }

  async close(): Promise<void> {
    clearInterval(this.#checks);
    for (const { stream } of this.#streams.values()) stream.retire();
    this.changed();
    await Promise.all(this.#lanes);
    await Promise.all([...this.#streams.values()].map(({ ran }) => ran));
    for (const disk of this.#disks) await disk.close();
    this.#tellDigests();
    leaveThread();
  }

  async #lane(): Promise<void> {
    const slot = await this.#slots.taken();
    const header = Buffer.alloc(headerBytes);
    while (!this.board.ended) {
      const { wakes } = this.board;
      const chunk = this.board.claim();
      if (chunk === null) {
        await this.board.changed(wakes);
        continue;
      }
      try {
        await this.#carry(chunk, slot, header);
      } catch (error) {
        this.#fail(error);
        break;
      }
    }
    this.#slots.give(slot);
  }

  async #carry(chunk: number, slot: Buffer, header: Buffer): Promise<void> {
    const { board } = this;
    const { disk, index, lengthBytes } = board.placeOf(chunk);
    const known = board.ownDigest(chunk);
    // What was read in an earlier session is there, most likely; the first chunks of a fresh run are read while streams connect.
    if (known !== null && !(await this.#planned(chunk))) return;
    if (known !== null && board.heldDigest(chunk)?.equals(known) === true) {
      this.#finish(chunk);
      return;
    }
    const from = performance.now();
    await (this.#disks[disk] as Disk).read(slot, index * chunkBytes, lengthBytes);
    const plain = slot.subarray(0, lengthBytes);
    const digest = this.#digest(chunk, plain, known);
    board.count('workNs', (performance.now() - from) * 1e6);
    if (!(await this.#planned(chunk))) return;
    if (board.heldDigest(chunk)?.equals(digest) === true) {
      this.#finish(chunk);
      return;
    }
    const stream = await this.#stream();
    if (stream === null) {
      board.requeue(chunk);
      return;
    }
    const compress = board.compress && this.#choice.wants();
    const at = { disk, index, counter: board.nextCounter() };
    const sealed = this.#codec.seal(plain, at, this.#chunkKeys[disk] as ChunkKeys, { compress }, slot);
    encodeHeader(sealed, header);
    if (compress && sealed.bodyBytes > 0) {
      this.#choice.note(lengthBytes, sealed.bodyBytes);
      board.count('packedFrom', lengthBytes);
      board.count('packedTo', sealed.bodyBytes);
    }
    await stream.carry(chunk, { ...at, digest }, header, slot.subarray(0, sealed.bodyBytes));
  }

  /** When the landing has said what it holds; false, and the chunk back in the queue, when the job ends before. */
  async #planned(chunk: number): Promise<boolean> {
    const { board } = this;
    for (;;) {
      const { wakes } = board;
      if (board.planned) return true;
      if (board.ended) break;
      await board.changed(wakes);
    }
    board.requeue(chunk);
    return false;
  }

  /** The chunk's digest by this read; a disk that reads differently the second time is written to by somebody. */
  #digest(chunk: number, plain: Buffer, known: Buffer | null): Buffer {
    const zero = isZero(plain, plain.length);
    const digest = zero ? this.#codec.zeroDigest(plain.length) : this.#codec.digest(plain);
    if (known === null) {
      this.board.setOwnDigest(chunk, digest, zero);
      this.#digests.push(chunk);
      if (this.#digests.length >= digestsPerMessage) this.#tellDigests();
    } else if (!known.equals(digest)) {
      const { disk, index } = this.board.placeOf(chunk);
      const text = `disk ${this.plan[disk]?.vdev ?? ''} changed at chunk ${String(index)} since it was read under this run`;
      throw new SealiftError('disk-changed', text);
    }
    return digest;
  }

  /** Takes the live stream with the least to do, when it has room; null when the job ends. */
  async #stream(): Promise<SenderStream | null> {
    for (;;) {
      if (this.board.ended) return null;
      const wanted = [...this.#streams.values()].map(({ stream }) => stream).filter((stream) => !stream.leaving);
      // Not more than the next one, and not what another stream will carry that is about to connect.
      const room = Math.min(2, Math.ceil(this.#lanes.length / wanted.length));
      const stream = leastLoaded(wanted.filter(({ live, load }) => live && load < room));
      if (stream !== null) {
        // At once: others that wait look in the same turn.
        stream.load += 1;
        return stream;
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #finish(chunk: number): void {
    this.board.finish(chunk);
  }

  /** The manifest goes out whole on one stream, and once more on the next when that breaks. */
  #sendManifest(): void {
    if (this.#manifest === null || this.#manifestSentBy?.live === true) return;
    const by = leastLoaded([...this.#streams.values()].map(({ stream }) => stream).filter(({ live }) => live));
    this.#manifestSentBy = by;
    by?.sendManifest(manifestParts(this.#manifest));
  }

  #tellDigests(): void {
    if (this.#digests.length > 0) this.#tell({ kind: 'digests', chunks: this.#digests.splice(0) });
  }

  #fail(error: unknown): void {
    this.#tell({ kind: 'failed', error: toPlain(error) });
  }

  #tell(message: FromSenderThread): void {
    parentPort?.postMessage(message);
  }
}

const digestsPerMessage = 32;

/** The first of those with the least to do; null of none. */
function leastLoaded(streams: readonly SenderStream[]): SenderStream | null {
  return streams.reduce<SenderStream | null>(
    (least, other) => (least !== null && least.load <= other.load ? least : other),
    null,
  );
}

async function start(): Promise<void> {
  const data = threadData() as SenderThreadData;
  const disks: Disk[] = [];
  try {
    for (const { path } of data.disks) disks.push(await openDisk(path, 'read'));
  } catch (error) {
    parentPort?.postMessage({ kind: 'failed', error: toPlain(error) } satisfies FromSenderThread);
    for (const disk of disks) await disk.close();
    parentPort?.on('message', (message: ToSenderThread) => {
      if (message.kind === 'close') leaveThread();
    });
    return;
  }
  const thread = new SenderThread(data, await loadCodec(data.codec), disks);
  parentPort?.on('message', (message: ToSenderThread) => {
    if (message.kind === 'streams') thread.setStreams(message.streams);
    else if (message.kind === 'manifest') thread.handManifest(Buffer.from(message.bytes));
    else void thread.close();
  });
}

await start();
