import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { parentPort } from 'node:worker_threads';
import { errorCode } from '../dom0/system-errors.ts';
import { SealiftError } from '../domain/error.ts';
import { loadCodec } from './codec.ts';
import type { Codec } from './codec.ts';
import { LandingConnection } from './landing-connection.ts';
import type { ConnectionHost } from './landing-connection.ts';
import { LandingDisks, LandingSession } from './landing-disks.ts';
import type { FromLandingThread, LandingThreadData, ThreadDisk, ToLandingThread } from './landing-messages.ts';
import { Slots } from './slots.ts';
import { leaveThread, threadData, toPlain } from './threads.ts';
import { authenticationMs, leastSlots, readBackSlots, slotsWritten } from './tuning.ts';

/** A thread of the landing: listens on the landing's port beside the others, receives, verifies, writes, and reads back. */
class LandingThread implements ConnectionHost {
  readonly thread: number;
  readonly threads: number;
  readonly slots: Slots;
  readonly #codec: Codec;
  readonly #most: number;
  readonly #readBackSlots = new Slots(readBackSlots);
  readonly #connections = new Map<string, LandingConnection>();
  readonly #runs = new Map<string, LandingDisks>();
  readonly #server = createServer({ pauseOnConnect: true });
  /** By their addresses, which are inside tunnels. */
  readonly #inside = new Map<string, Server>();
  #accepted = 0;

  constructor(data: LandingThreadData, codec: Codec) {
    this.thread = data.thread;
    this.threads = data.threads;
    this.slots = new Slots(data.slots);
    this.#codec = codec;
    this.#most = data.unauthenticated;
    this.#server.on('connection', (socket) => {
      this.#accept(socket);
    });
    this.#server.on('error', (error) => {
      this.tell({ kind: 'not-listening', code: errorCode(error) });
    });
    this.#server.listen({ host: data.address, port: data.port, reusePort: true }, () => {
      this.tell({ kind: 'listening', port: (this.#server.address() as AddressInfo).port });
    });
  }

  #accept(socket: Socket): void {
    if (this.#unproved() >= this.#most) {
      socket.destroy();
      return;
    }
    this.#accepted += 1;
    const connection = new LandingConnection(`${String(this.thread)}.${String(this.#accepted)}`, socket, this);
    this.#connections.set(connection.id, connection);
    this.#limitSlots();
    limitUnproved(connection);
  }

  tell(message: FromLandingThread): void {
    parentPort?.postMessage(message);
  }

  gone(connection: LandingConnection): void {
    this.#connections.delete(connection.id);
    this.#limitSlots();
    this.tell({ kind: 'gone', connection: connection.id });
  }

  async handle(message: ToLandingThread): Promise<void> {
    switch (message.kind) {
      case 'granted': {
        const disks = this.#disks(message.grant.run, message.grant.disks);
        this.#connections.get(message.connection)?.grant(new LandingSession(message.grant, disks, this.#codec));
        return;
      }
      case 'refused':
        this.#connections.get(message.connection)?.refuse(message.error);
        return;
      case 'answered':
        this.#connections.get(message.connection)?.answer(Buffer.from(message.frame));
        return;
      case 'control':
        this.#connections.get(message.connection)?.send(message.control, Buffer.from(message.payload));
        return;
      case 'planned':
        this.#connections.get(message.connection)?.planned(message.beatMs);
        return;
      case 'memory-taken':
        this.#connections.get(message.connection)?.memoryTaken();
        return;
      case 'drop':
        this.#connections.get(message.connection)?.close();
        return;
      case 'disks':
        this.#disks(message.run, message.disks);
        return;
      case 'read-back':
        await this.#readBack(message);
        return;
      case 'leave':
        await this.#leave(message);
        return;
      case 'open-inside':
        this.#openInside(message);
        return;
      case 'close-inside':
        this.#closeInside(message.address);
        this.tell({ kind: 'heeded', request: message.request });
        return;
      case 'close':
        await this.#close();
    }
  }

  #openInside({ request, address }: ToLandingThread & { kind: 'open-inside' }): void {
    this.#closeInside(address);
    const server = createServer({ pauseOnConnect: true }, (socket) => {
      this.#accept(socket);
    });
    // It may come later too, by a connection that could not be taken.
    server.on('error', (error) => {
      this.tell({ kind: 'heeded', request, code: errorCode(error) });
    });
    const { port } = this.#server.address() as AddressInfo;
    server.listen({ host: address, port, reusePort: true }, () => {
      this.tell({ kind: 'heeded', request });
    });
    this.#inside.set(address, server);
  }

  /** Those who came in there stay: their run ends them. */
  #closeInside(address: string): void {
    this.#inside.get(address)?.close();
    this.#inside.delete(address);
  }

  #unproved(): number {
    let count = 0;
    for (const connection of this.#connections.values()) if (!connection.proved) count += 1;
    return count;
  }

  /** One for each stream to receive into and some that are written: few streams shall not fill the memory that many need. */
  #limitSlots(): void {
    this.slots.limit = Math.max(leastSlots, this.#connections.size + slotsWritten);
  }

  #disks(run: string, shapes: ThreadDisk[]): LandingDisks {
    const known = this.#runs.get(run) ?? new LandingDisks(shapes, this.#codec);
    this.#runs.set(run, known);
    return known;
  }

  async #readBack({ job, run, disk, index }: ToLandingThread & { kind: 'read-back' }): Promise<void> {
    const slot = await this.#readBackSlots.taken();
    try {
      const disks = this.#runs.get(run);
      if (disks === undefined) throw new SealiftError('internal', `the disks of run ${run} are not open`);
      this.tell({ kind: 'read', job, digest: (await disks.readBack(disk, index, slot)).toString('hex'), error: null });
    } catch (error) {
      this.tell({ kind: 'read', job, digest: null, error: toPlain(error) });
    } finally {
      this.#readBackSlots.give(slot);
    }
  }

  async #leave({ request, run, below, closeDisks }: ToLandingThread & { kind: 'leave' }): Promise<void> {
    const stale = { type: 'stale-session', message: 'a newer session of the run has taken over' } as const;
    // Passing: who comes back is told whether the run is closed, or the host was only restarted.
    const closed = { type: 'landing-away', message: 'the landing ended the connections of the run' } as const;
    for (const connection of this.#connections.values()) {
      const grant = connection.session?.grant;
      if (grant?.run === run && grant.number < below) connection.refuse(closeDisks ? closed : stale);
    }
    const disks = this.#runs.get(run);
    await disks?.quiet();
    if (closeDisks) {
      this.#runs.delete(run);
      await disks?.close();
    }
    this.tell({ kind: 'heeded', request });
  }

  async #close(): Promise<void> {
    this.#server.close();
    for (const server of this.#inside.values()) server.close();
    for (const connection of this.#connections.values()) connection.close();
    for (const disks of this.#runs.values()) await disks.close();
    leaveThread();
  }
}

function limitUnproved(connection: LandingConnection): void {
  setTimeout(() => {
    if (connection.asked) limitUnproved(connection);
    else if (!connection.proved) connection.close();
  }, authenticationMs).unref();
}

const data = threadData() as LandingThreadData;
const thread = new LandingThread(data, await loadCodec(data.codec));
parentPort?.on('message', (message: ToLandingThread) => {
  thread.handle(message).catch((error: unknown) => {
    // Ends the thread, and with it the landing.
    queueMicrotask(() => {
      throw error;
    });
  });
});
