import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { SealiftError } from '../domain/error.ts';
import { headerBytes } from '../seal/chunk.ts';
import type { SessionKeys } from '../seal/session.ts';
import { streamKeys } from '../seal/session.ts';
import * as control from './control.ts';
import * as opening from './opening.ts';
import { Receiver } from './receiver.ts';
import type { Board } from './sender-board.ts';
import { turnBytes, waitTurn } from './turn.ts';
import { fastSliceBytes, leastRecordBytes, slowSliceBytes } from './tuning.ts';

/** What a stream needs of its thread. */
export interface StreamHost {
  readonly board: Board;
  readonly address: string;
  readonly port: number;
  readonly from: string | undefined;
  readonly keys: SessionKeys;
  readonly statement: Buffer;
  readonly plan: control.Plan['disks'];
  readonly stallMs: number;
  /** A stream has come or gone, or has room again. */
  changed(): void;
  trouble(error: unknown): void;
  /** The landing refused for a reason that another try does not change. */
  refused(error: SealiftError): void;
  stored(): void;
}

const mostConnectMs = 10_000;
/** A nearby landing's threads are worth being shared evenly. */
const nearMs = 20;

/** One connection of a stream, from its hello until it ends for whatever reason. */
export class SenderConnection {
  live = false;
  wasLive = false;
  /** Whether the landing said no in so many words. */
  refusal = false;
  readonly ended: Promise<unknown>;
  readonly #number: number;
  readonly #host: StreamHost;
  readonly #mayRedial: boolean;
  readonly #socket: Socket;
  readonly #receiver = new Receiver();
  readonly #random = randomBytes(opening.randomBytesLength);
  readonly #head = Buffer.alloc(headerBytes);
  readonly #unacknowledged = new Set<number>();
  readonly #resolveEnd: (end: unknown) => void;
  #sealer: control.ControlSealer | null = null;
  #opener: control.ControlOpener | null = null;
  #over = false;
  /** Records follow each other whole. */
  #tail: Promise<void> = Promise.resolve();
  #writing = false;
  #sliceBytes = fastSliceBytes;
  readonly #startedAt = performance.now();
  #roundTripMs = 0;
  /** When something last showed that the connection moves. */
  #movedAt = performance.now();
  #beatenBytes = 0;

  constructor(number: number, host: StreamHost, mayRedial: boolean) {
    this.#number = number;
    this.#host = host;
    this.#mayRedial = mayRedial;
    const { promise, resolve } = Promise.withResolvers<unknown>();
    this.ended = promise;
    this.#resolveEnd = resolve;
    const where = `${host.address}:${String(host.port)}`;
    this.#socket = connect({
      host: host.address,
      port: host.port,
      localAddress: host.from,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 10_000,
      onread: this.#receiver.onread,
    });
    this.#receiver.attach(() => this.#socket.resume());
    this.#socket.on('connect', () => {
      this.#movedAt = performance.now();
      this.#roundTripMs = this.#movedAt - this.#startedAt;
      host.board.noteRoundTrip(this.#roundTripMs);
      this.#socket.write(opening.encodeHello(host.keys, this.#random, number, host.statement));
    });
    this.#socket.on('error', (error: NodeJS.ErrnoException) => {
      this.end(new SealiftError('landing-away', `the landing at ${where} broke off (${error.code ?? error.message})`));
    });
    const closed = () => {
      this.end(new SealiftError('landing-away', `the landing at ${where} closed a connection`));
    };
    this.#socket.on('end', closed);
    this.#socket.on('close', closed);
    this.#wantOpening();
  }

  get idle(): boolean {
    return this.#unacknowledged.size === 0;
  }

  async carry(chunk: number, digest: control.RecordDigest, header: Buffer, body: Buffer): Promise<void> {
    if (this.#over) {
      this.#host.board.requeue(chunk);
      return;
    }
    this.#unacknowledged.add(chunk);
    await this.#inTurn(() => {
      // Of zeros everybody knows it.
      if (body.length > 0) this.send(control.controlKind.digest, control.encodeRecordDigest(digest));
      return this.#write(chunk, header, body);
    });
  }

  async sendManifest(parts: Iterable<Buffer>): Promise<void> {
    await this.#inTurn(() => {
      for (const part of parts) this.send(control.controlKind.manifest, part);
      return Promise.resolve();
    });
  }

  /** Writes behind what is being written: records stay whole. */
  async #inTurn(write: () => Promise<void>): Promise<void> {
    const before = this.#tail;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.#tail = promise;
    try {
      await before;
      this.#writing = true;
      await write();
    } finally {
      this.#writing = false;
      resolve(undefined);
    }
  }

  send(kind: control.ControlKind, payload?: Buffer): void {
    if (this.#over || this.#sealer === null) return;
    this.#socket.write(this.#sealer.seal(kind, payload));
  }

  check(): void {
    const silentMs = performance.now() - this.#movedAt;
    const limitMs = this.live ? this.#host.stallMs : Math.min(this.#host.stallMs, mostConnectMs);
    if (silentMs > limitMs) {
      this.end(new SealiftError('landing-away', `a stream did not move for ${String(Math.round(silentMs))} ms`));
    } else if (this.live && !this.#writing && this.#socket.writableLength === 0) {
      this.send(
        control.controlKind.beat,
        control.encodeBeat({ receivedBytes: this.#receiver.receivedBytes, busy: false }),
      );
    }
  }

  end(reason: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#receiver.stop();
    // Nothing is half sent in a good end; in a bad one the landing drops what is not whole. What the kernel still has of it must not outlive a tunnel.
    if (this.#host.from === undefined) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
    if (this.live) this.#host.board.streamDown();
    this.live = false;
    for (const chunk of this.#unacknowledged) this.#host.board.requeue(chunk);
    this.#unacknowledged.clear();
    this.#resolveEnd(reason);
  }

  async #write(chunk: number, header: Buffer, body: Buffer): Promise<void> {
    const { board } = this.#host;
    let at = 0;
    do {
      const part = body.subarray(at, at + turnBytes(board, this.#sliceBytes));
      const bytes = part.length + (at === 0 ? header.length : 0);
      await waitTurn(board, bytes, () => this.#over);
      const from = performance.now();
      // Of a record all at once: one that is begun must not wait for others, which may wait for what it holds at the landing.
      const recordBytes = Math.max(header.length + body.length, leastRecordBytes);
      if (at === 0 && !(await board.depart(chunk, recordBytes, () => this.#over))) return;
      if (this.#over) return;
      const departedAt = performance.now();
      await this.#writeSlice(at === 0 ? header : null, part);
      const tookMs = performance.now() - departedAt;
      board.count('blockedNs', (performance.now() - from) * 1e6);
      board.count('wireBytes', bytes);
      this.#sliceBytes = tookMs > slowMs ? slowSliceBytes : Math.min(fastSliceBytes, this.#sliceBytes * 2);
      at += part.length;
    } while (at < body.length && !this.#isOver());
  }

  #isOver(): boolean {
    return this.#over;
  }

  /** Returns when the kernel has it, or the connection has ended. */
  async #writeSlice(header: Buffer | null, part: Buffer): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const written = () => {
      this.#movedAt = performance.now();
      resolve(undefined);
    };
    this.#socket.cork();
    if (header !== null) this.#socket.write(header, part.length === 0 ? written : undefined);
    if (part.length > 0) this.#socket.write(part, written);
    this.#socket.uncork();
    await promise;
  }

  #want(region: Buffer, full: () => void): void {
    if (this.#over) return;
    this.#receiver.want(region, () => {
      try {
        full();
      } catch (error) {
        this.end(error);
      }
    });
  }

  #wantOpening(): void {
    const head = Buffer.alloc(opening.openingHeadBytes);
    this.#want(head, () => {
      const { kind, bodyBytes } = opening.decodeOpeningHead(head);
      const body = Buffer.alloc(bodyBytes);
      this.#want(body, () => {
        if (kind === opening.openingKind.refused) this.#refused(body);
        else if (kind === opening.openingKind.welcome) this.#welcomed(body);
        else throw new SealiftError('bad-frame', 'the landing answered with something else');
      });
    });
  }

  #refused(body: Buffer): void {
    this.refusal = true;
    this.end(opening.decodeRefusal(body));
  }

  #welcomed(body: Buffer): void {
    const { board, keys, plan, stallMs } = this.#host;
    const welcome = opening.decodeWelcome(keys, { random: this.#random, stream: this.#number }, body);
    const isWanted = welcome.thread === this.#number % Math.max(1, welcome.threads);
    if (!isWanted && this.#mayRedial && this.#roundTripMs < nearMs) {
      this.end('redial');
      return;
    }
    const both = streamKeys(keys, this.#random, welcome.random);
    this.#sealer = new control.ControlSealer(both.toLanding);
    this.#opener = new control.ControlOpener(both.toSender);
    if (!welcome.holds) board.setPlanned();
    // One stream asks for all.
    const held = this.#number === 0 && !board.planned;
    const beatMs = Math.max(20, Math.min(3_000, Math.floor(stallMs / 4)));
    this.send(control.controlKind.plan, control.encodePlan({ disks: plan, held, beatMs }));
    this.live = true;
    this.wasLive = true;
    this.#movedAt = performance.now();
    board.streamUp();
    this.#host.changed();
    this.#wantFrame();
  }

  #wantFrame(): void {
    this.#want(this.#head, () => {
      const body = Buffer.alloc(control.controlBodyBytes(this.#head));
      this.#want(body, () => {
        const { kind, payload } = (this.#opener as control.ControlOpener).open(this.#head, body);
        this.#control(kind, payload);
        this.#wantFrame();
      });
    });
  }

  #control(kind: control.ControlKind, payload: Buffer): void {
    const { board } = this.#host;
    switch (kind) {
      case control.controlKind.held:
        for (const { disk, index, digest } of control.decodeHeld(payload)) {
          const chunk = board.chunkAt({ disk, index });
          if (chunk !== null) board.setHeldDigest(chunk, digest);
        }
        break;
      case control.controlKind.planned:
        if (this.#number === 0) board.setPlanned();
        break;
      case control.controlKind.acknowledged:
        for (const place of control.decodePlaces(payload)) this.#acknowledged(place);
        break;
      case control.controlKind.stored:
        this.#host.stored();
        break;
      case control.controlKind.refused:
        this.#refused(payload);
        return;
      case control.controlKind.beat:
        this.#beaten(control.decodeBeat(payload));
        return;
      default:
        throw new SealiftError('bad-frame', `the landing sent a frame of kind ${String(kind)}`);
    }
    this.#movedAt = performance.now();
  }

  #acknowledged(place: control.Place): void {
    const chunk = this.#host.board.chunkAt(place);
    if (chunk === null) return;
    this.#unacknowledged.delete(chunk);
    this.#host.board.finish(chunk);
  }

  /** A landing that lives is not enough: what was sent must arrive, or wait for the landing itself. */
  #beaten({ receivedBytes, busy }: control.Beat): void {
    if (busy) this.#host.board.count('busyBeats', 1);
    const isHere = receivedBytes >= this.#socket.bytesWritten;
    if (busy || isHere || receivedBytes > this.#beatenBytes) this.#movedAt = performance.now();
    this.#beatenBytes = receivedBytes;
  }
}

const slowMs = 500;
