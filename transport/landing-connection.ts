import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { SealiftError } from '../domain/error.ts';
import { chunkBytes } from '../domain/chunks.ts';
import { checkPlace, decodeHeader, headerBytes } from '../seal/chunk.ts';
import type { ChunkHeader } from '../seal/chunk.ts';
import { streamKeys } from '../seal/session.ts';
import { alignedBuffer } from '../storage/aligned.ts';
import { acceptInto } from './accepted.ts';
import * as control from './control.ts';
import type { LandingSession } from './landing-disks.ts';
import type { FromLandingThread } from './landing-messages.ts';
import { ManifestParts } from './manifest-parts.ts';
import * as opening from './opening.ts';
import { Receiver } from './receiver.ts';
import type { Slots } from './slots.ts';
import { toPlain } from './threads.ts';
import type { PlainError } from './threads.ts';
import { landingIdleMs, mostUnprovedBytes } from './tuning.ts';

/** What a connection needs of its thread. */
export interface ConnectionHost {
  readonly thread: number;
  readonly threads: number;
  readonly slots: Slots;
  tell(message: FromLandingThread): void;
  gone(connection: LandingConnection): void;
}

/** Where records without a body are opened: `openChunk` writes their zeros. */
const nothing = alignedBuffer(chunkBytes);

/** One connection of a sender: first frame, proof, then sealed frames and records until it ends. */
export class LandingConnection {
  readonly id: string;
  readonly peer: string;
  session: LandingSession | null = null;
  /** Whether its first sealed frame has verified: nobody but the holder of the session's key gets so far. */
  proved = false;
  /** Whether it was asked something and waits for this host: how long that takes says nothing of its peer. */
  asked = false;
  readonly #host: ConnectionHost;
  readonly #at: string;
  readonly #socket: Socket;
  readonly #receiver = new Receiver();
  readonly #head = Buffer.alloc(headerBytes);
  readonly #manifest = new ManifestParts();
  #hello: opening.Hello | null = null;
  #sealer: control.ControlSealer | null = null;
  #opener: control.ControlOpener | null = null;
  /** What the sender told last of a record. */
  #told: control.RecordDigest | null = null;
  /** The chunk buffer that a record is coming into. */
  #slot: Buffer | null = null;
  /** It waits for this host: for a slot, or until a piece of memory is taken. */
  #waits = false;
  /** It brings a guest's memory, and no chunks. */
  #bringsMemory = false;
  #closed = false;
  /** Takes nothing in any more. */
  #ended = false;
  #beats: NodeJS.Timeout | null = null;

  constructor(id: string, accepted: Socket, host: ConnectionHost) {
    this.id = id;
    this.#host = host;
    this.#at = accepted.localAddress ?? '';
    this.peer = `${accepted.remoteAddress ?? 'unknown'}:${String(accepted.remotePort ?? 0)}`;
    this.#socket = acceptInto(accepted, this.#receiver.onread);
    this.#receiver.attach(() => this.#socket.resume());
    this.#socket.on('error', () => undefined);
    const close = () => {
      this.close();
    };
    this.#socket.on('close', close);
    this.#socket.on('end', close);
    this.#wantOpening();
    this.#socket.resume();
  }

  /** Answers the first frame and so proves that this host unwrapped the key; refuses a sender that does not have it. */
  grant(session: LandingSession): void {
    const hello = this.#hello;
    if (hello === null || this.#ended) return;
    const keys = { key: Buffer.from(session.grant.key), context: Buffer.from(session.grant.context) };
    try {
      opening.checkHello(keys, hello);
    } catch (error) {
      this.refuse(toPlain(error));
      return;
    }
    const random = randomBytes(opening.randomBytesLength);
    const { thread, threads } = this.#host;
    const { holds } = session.grant;
    this.#socket.write(opening.encodeWelcome(keys, hello, { random, thread, threads, holds }));
    const both = streamKeys(keys, hello.random, random);
    this.#sealer = new control.ControlSealer(both.toSender);
    this.#opener = new control.ControlOpener(both.toLanding);
    this.session = session;
    this.#wantFrame();
  }

  /** Gives a peer what it asked for beside all runs, and takes its next first frame. */
  answer(frame: Buffer): void {
    this.asked = false;
    if (this.#ended) return;
    this.#socket.write(frame);
    this.#wantOpening();
  }

  /** Its plan fits and it knows what is held: it may send. */
  planned(beatMs: number): void {
    if (this.#ended) return;
    this.send(control.controlKind.planned);
    this.#beats = setInterval(() => {
      this.#beat();
    }, beatMs);
  }

  /** What it brought last of a guest's memory has gone on. */
  memoryTaken(): void {
    this.#waits = false;
    if (!this.#ended) this.#wantFrame();
  }

  /** Tells the sender why, and ends the connection. */
  refuse(error: PlainError): void {
    if (this.#ended) return;
    this.#ended = true;
    const body = opening.encodeRefusal(error);
    if (this.#sealer === null) this.#socket.write(opening.encodeOpening(opening.openingKind.refused, body));
    else this.send(control.controlKind.refused, body);
    this.#receiver.stop();
    // Not destroyed at once: with unread bytes in its buffer the kernel would reset the connection, and the reason be lost.
    this.#socket.end();
    setTimeout(() => {
      this.close();
    }, refusalMs).unref();
  }

  send(kind: control.ControlKind, payload?: Buffer): void {
    if (this.#closed || this.#sealer === null || !this.#socket.writable) return;
    this.#socket.write(this.#sealer.seal(kind, payload));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#ended = true;
    this.asked = false;
    if (this.#beats !== null) clearInterval(this.#beats);
    this.#receiver.stop();
    this.#socket.destroy();
    if (this.#slot !== null) this.#host.slots.give(this.#slot);
    this.#slot = null;
    this.#host.gone(this);
  }

  /** Ends a connection that brought what it should not, or nothing. */
  drop(error: unknown): void {
    if (this.#closed) return;
    this.#host.tell({ kind: 'trouble', message: 'a connection was dropped', error: toPlain(error), peer: this.peer });
    this.close();
  }

  #want(region: Buffer, full: () => void): void {
    if (this.#ended) return;
    this.#receiver.want(region, () => {
      this.#guarded(full);
    });
  }

  #guarded(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.drop(error);
    }
  }

  #wantOpening(): void {
    const head = Buffer.alloc(opening.openingHeadBytes);
    this.#want(head, () => {
      if (this.#receiver.receivedBytes > mostUnprovedBytes)
        throw new SealiftError('bad-frame', 'too many first frames');
      const read = this.#openingHead(head);
      if (read === null) return;
      const body = Buffer.alloc(read.bodyBytes);
      this.#want(body, () => {
        this.#opened(read.kind, body);
      });
    });
  }

  #openingHead(head: Buffer): opening.OpeningHead | null {
    try {
      return opening.decodeOpeningHead(head);
    } catch (error) {
      const plain = toPlain(error);
      if (plain.type !== 'too-old') throw error;
      this.refuse(plain);
      return null;
    }
  }

  #opened(kind: opening.OpeningKind, body: Buffer): void {
    if (kind === opening.openingKind.ping) {
      this.#socket.write(opening.encodeOpening(opening.openingKind.pong, body));
      this.#wantOpening();
      return;
    }
    if (kind === opening.openingKind.ask || kind === opening.openingKind.question) {
      const what = kind === opening.openingKind.ask ? 'ask' : 'question';
      this.asked = true;
      this.#host.tell({ kind: 'asked', connection: this.id, what, body });
      return;
    }
    if (kind !== opening.openingKind.hello) throw new SealiftError('bad-frame', 'a connection starts with an answer');
    this.#hello = opening.decodeHello(body);
    const { statement, stream } = this.#hello;
    this.#host.tell({ kind: 'hello', connection: this.id, statement, stream, at: this.#at });
  }

  #wantFrame(): void {
    this.#want(this.#head, () => {
      if (!control.isControlHead(this.#head)) {
        this.#record();
        return;
      }
      const body = Buffer.alloc(control.controlBodyBytes(this.#head));
      this.#want(body, () => {
        const { kind, payload } = (this.#opener as control.ControlOpener).open(this.#head, body);
        this.#control(kind, payload);
        if (!this.#waits) this.#wantFrame();
      });
    });
  }

  #control(kind: control.ControlKind, payload: Buffer): void {
    const { plan, memoryBegin, memory, manifest, digest, beat } = control.controlKind;
    const isFirst = kind === plan || kind === memoryBegin;
    if (this.proved === isFirst) throw new SealiftError('bad-frame', 'a plan comes first, and once');
    if (isFirst) {
      this.proved = true;
      this.#bringsMemory = kind === memoryBegin;
      this.#host.tell({ kind: this.#bringsMemory ? 'memory-begin' : 'plan', connection: this.id, payload });
    } else if (kind === memory && this.#bringsMemory) {
      this.#waits = true;
      this.#host.tell({ kind: 'memory', connection: this.id, bytes: payload });
    } else if (kind === digest && !this.#bringsMemory) {
      this.#told = control.decodeRecordDigest(payload);
    } else if (kind === manifest && !this.#bringsMemory) {
      const bytes = this.#manifest.add(control.decodeManifestPart(payload));
      if (bytes !== null) this.#host.tell({ kind: 'manifest', connection: this.id, bytes });
    } else if (kind !== beat) {
      throw new SealiftError('bad-frame', `a sender sent a frame of kind ${String(kind)}`);
    }
  }

  #beat(): void {
    const { receivedBytes, receivedAt } = this.#receiver;
    if (!this.#waits && performance.now() - receivedAt > landingIdleMs) {
      this.drop(new SealiftError('landing-away', 'the sender of a connection is silent'));
      return;
    }
    this.send(control.controlKind.beat, control.encodeBeat({ receivedBytes, busy: this.#waits }));
  }

  #record(): void {
    if (!this.proved || this.#bringsMemory) throw new SealiftError('bad-frame', 'a chunk before the plan');
    const header = decodeHeader(this.#head);
    const { disks } = this.#session();
    checkPlace(header, disks.shapes);
    if (header.bodyBytes === 0 && !disks.isTouched(header.disk, header.index)) {
      this.#untouchedZeros(header);
      return;
    }
    this.#waits = true;
    this.#host.slots.take((slot) => {
      this.#waits = false;
      if (this.#ended) {
        this.#host.slots.give(slot);
        return;
      }
      this.#slot = slot;
      const took = () => {
        this.#take(header, slot);
      };
      if (header.bodyBytes === 0) this.#guarded(took);
      else this.#want(slot.subarray(0, header.bodyBytes), took);
    });
  }

  /** A hole that has never been anything else needs no write. */
  #untouchedZeros(header: ChunkHeader): void {
    const session = this.#session();
    const digest = session.open(header, nothing, null);
    if (session.admit(header)) this.#written(header, digest);
    this.#wantFrame();
  }

  /** Verifies the record in `slot` and lets it be written while the next one comes in. */
  #take(header: ChunkHeader, slot: Buffer): void {
    const session = this.#session();
    const digest = session.open(header, slot, this.#told);
    if (!session.admit(header)) {
      this.#slot = null;
      this.#host.slots.give(slot);
      this.#wantFrame();
      return;
    }
    this.#slot = null;
    const { run } = session.grant;
    void session.disks
      .write(header.disk, header.index, slot, header.bodyBytes === 0)
      .then(
        () => {
          this.#written(header, digest);
        },
        (error: unknown) => {
          this.#host.tell({ kind: 'not-written', run, error: toPlain(error) });
        },
      )
      .finally(() => {
        this.#host.slots.give(slot);
      });
    this.#wantFrame();
  }

  #written({ disk, index, bodyBytes }: ChunkHeader, digest: Buffer): void {
    const { run } = this.#session().grant;
    const content = { disk, index, digest: digest.toString('hex'), zero: bodyBytes === 0 };
    this.#host.tell({ kind: 'written', connection: this.id, run, ...content });
  }

  #session(): LandingSession {
    if (this.session === null) throw new SealiftError('internal', 'a connection without a session');
    return this.session;
  }
}

const refusalMs = 2_000;
