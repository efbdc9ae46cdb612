import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { SealiftError } from '../domain/error.ts';
import type { Session, Signed } from '../domain/statement.ts';
import { canonicalBytes } from '../seal/canonical.ts';
import { headerBytes } from '../seal/chunk.ts';
import { streamKeys } from '../seal/session.ts';
import type { SessionKeys } from '../seal/session.ts';
import * as control from './control.ts';
import * as opening from './opening.ts';
import { Receiver } from './receiver.ts';

export interface SendMemoryOptions {
  session: Signed<Session>;
  keys: SessionKeys;
  landing: { address: string; port: number };
  /** The guest's configuration, as its manifest will have it. */
  config: string;
  /** Without any progress for so long the connection is given up. */
  stallMs: number;
  /** Gives it up. */
  signal?: AbortSignal;
}

/** The connection by which a guest's memory crosses, sealed under a session of its run. */
export interface MemorySender {
  /** Sends the next bytes, in frames of its own; resolves when the kernel has them. Rejects as `arrived` does. */
  send(piece: Buffer): Promise<void>;
  /** Resolves when the landing has the whole guest; rejects with 'landing-away' or what it refused with. */
  readonly arrived: Promise<void>;
  readonly wireBytes: number;
  close(): void;
}

/**
 * Connects to a landing for a guest's memory; resolves when it will take it. Throws 'landing-away', 'tag-mismatch' where somebody else
 * answers, and what the landing refuses with.
 */
export async function sendMemory(options: SendMemoryOptions): Promise<MemorySender> {
  const sender = new Sender(options);
  await sender.begun;
  return sender;
}

/** A landing has to wait for its turn with the VM before it takes anything. */
const begunLimitMs = 300_000;
/** One connection carries it all. */
const streamNumber = 0;

class Sender implements MemorySender {
  readonly begun: Promise<void>;
  readonly arrived: Promise<void>;
  readonly #options: SendMemoryOptions;
  readonly #socket: Socket;
  readonly #receiver = new Receiver();
  readonly #random = randomBytes(opening.randomBytesLength);
  readonly #head = Buffer.alloc(headerBytes);
  readonly #begun = Promise.withResolvers<undefined>();
  readonly #arrived = Promise.withResolvers<undefined>();
  #reason: SealiftError | null = null;
  readonly #watch: NodeJS.Timeout;
  readonly #beatMs: number;
  #sealer: control.ControlSealer | null = null;
  #opener: control.ControlOpener | null = null;
  #movedAt = performance.now();
  #beatenBytes = 0;
  #over = false;
  #isBegun = false;
  #written: () => void = () => undefined;

  constructor(options: SendMemoryOptions) {
    this.#options = options;
    this.begun = this.#begun.promise.then(() => undefined);
    this.arrived = this.#arrived.promise.then(() => undefined);
    // Each is waited for at some time, or by nobody.
    for (const promise of [this.begun, this.arrived]) promise.catch(() => undefined);
    const { landing, keys, session, stallMs, signal } = options;
    this.#beatMs = Math.max(20, Math.min(3_000, Math.floor(stallMs / 4)));
    const where = `${landing.address}:${String(landing.port)}`;
    this.#socket = connect({ host: landing.address, port: landing.port, noDelay: true, onread: this.#receiver.onread });
    this.#receiver.attach(() => this.#socket.resume());
    this.#socket.on('connect', () => {
      this.#socket.write(opening.encodeHello(keys, this.#random, streamNumber, canonicalBytes(session)));
    });
    this.#socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#end(new SealiftError('landing-away', `the landing at ${where} broke off (${error.code ?? error.message})`));
    });
    this.#socket.on('close', () => {
      this.#end(new SealiftError('landing-away', `the landing at ${where} closed the connection`));
    });
    this.#watch = setInterval(() => {
      this.#check(where);
    }, this.#beatMs);
    this.#wantOpening();
    const give = (): void => {
      this.close();
    };
    signal?.addEventListener('abort', give, { once: true });
    this.arrived.finally(() => signal?.removeEventListener('abort', give)).catch(() => undefined);
    if (signal?.aborted === true) this.close();
  }

  get wireBytes(): number {
    return this.#socket.bytesWritten;
  }

  async send(piece: Buffer): Promise<void> {
    this.#throwIfOver();
    for (let at = 0; at < piece.length; at += control.memoryPieceBytes) {
      const frame = this.#seal(control.controlKind.memory, piece.subarray(at, at + control.memoryPieceBytes));
      await new Promise<void>((resolve) => {
        this.#written = resolve;
        this.#socket.write(frame, () => {
          resolve();
        });
      });
      this.#throwIfOver();
    }
  }

  close(): void {
    this.#end(new SealiftError('cancelled', 'the connection was closed'));
  }

  #throwIfOver(): void {
    if (this.#reason !== null) throw this.#reason;
  }

  #seal(kind: control.ControlKind, payload: Buffer): Buffer {
    if (this.#sealer === null) throw new SealiftError('internal', 'the landing has not answered yet');
    return this.#sealer.seal(kind, payload);
  }

  /** A landing that lives is not enough: what was sent must arrive, or wait for the landing itself. */
  #check(where: string): void {
    const silentMs = performance.now() - this.#movedAt;
    const { stallMs } = this.#options;
    if (silentMs > (this.#isBegun || this.#sealer === null ? stallMs : Math.max(stallMs, begunLimitMs)))
      this.#end(new SealiftError('landing-away', `${where} took nothing for ${String(Math.round(silentMs))} ms`));
    else if (this.#sealer !== null && this.#socket.writableLength === 0)
      this.#socket.write(
        this.#seal(
          control.controlKind.beat,
          control.encodeBeat({ receivedBytes: this.#receiver.receivedBytes, busy: false }),
        ),
      );
  }

  #end(reason: SealiftError): void {
    if (this.#over) return;
    this.#over = true;
    clearInterval(this.#watch);
    this.#receiver.stop();
    this.#socket.destroy();
    this.#reason = reason;
    for (const { reject } of [this.#begun, this.#arrived]) reject(reason);
    this.#written();
  }

  #want(region: Buffer, full: () => void): void {
    if (this.#over) return;
    this.#receiver.want(region, () => {
      try {
        full();
      } catch (error) {
        this.#end(error instanceof SealiftError ? error : new SealiftError('internal', String(error)));
      }
    });
  }

  #wantOpening(): void {
    const head = Buffer.alloc(opening.openingHeadBytes);
    this.#want(head, () => {
      const { kind, bodyBytes } = opening.decodeOpeningHead(head);
      const body = Buffer.alloc(bodyBytes);
      this.#want(body, () => {
        if (kind === opening.openingKind.refused) this.#end(opening.decodeRefusal(body));
        else if (kind === opening.openingKind.welcome) this.#welcomed(body);
        else throw new SealiftError('bad-frame', 'the landing answered with something else');
      });
    });
  }

  #welcomed(body: Buffer): void {
    const { keys, config } = this.#options;
    const welcome = opening.decodeWelcome(keys, { random: this.#random, stream: streamNumber }, body);
    const both = streamKeys(keys, this.#random, welcome.random);
    this.#sealer = new control.ControlSealer(both.toLanding);
    this.#opener = new control.ControlOpener(both.toSender);
    const begin: control.MemoryBegin = { config, beatMs: this.#beatMs };
    this.#socket.write(this.#seal(control.controlKind.memoryBegin, Buffer.from(JSON.stringify(begin))));
    this.#movedAt = performance.now();
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
    const { planned, memoryHere, refused, beat } = control.controlKind;
    if (kind === refused) {
      this.#end(opening.decodeRefusal(payload));
      return;
    }
    this.#isBegun ||= kind === planned;
    if (kind === planned) this.#begun.resolve(undefined);
    else if (kind === memoryHere) this.#arrived.resolve(undefined);
    else if (kind !== beat) throw new SealiftError('bad-frame', `the landing sent a frame of kind ${String(kind)}`);
    else if (!this.#hasMoved(control.decodeBeat(payload))) return;
    this.#movedAt = performance.now();
  }

  #hasMoved({ receivedBytes, busy }: control.Beat): boolean {
    const moved = busy || receivedBytes >= this.#socket.bytesWritten || receivedBytes > this.#beatenBytes;
    this.#beatenBytes = receivedBytes;
    return moved;
  }
}
