import type { Worker } from 'node:worker_threads';
import { SealiftError } from '../domain/error.ts';
import type { FromLandingThread, ToLandingThread } from './landing-messages.ts';
import { claimPort, portError } from './port-claim.ts';
import { fromPlain, joinThread, startThread } from './threads.ts';
import { landingSlots, readBackSlots, unauthenticatedConnections } from './tuning.ts';

export interface ThreadEvents {
  onMessage(message: FromLandingThread): void;
  onDeath(error: Error): void;
}

interface Member {
  worker: Worker;
  /** Read-backs under way. */
  reading: number;
}

/** The landing's threads, seen from its main thread. */
export class LandingThreads {
  readonly port: number;
  readonly #members: Member[];
  readonly #release: () => Promise<void>;
  readonly #jobs = new Map<number, (message: FromLandingThread & { kind: 'read' }) => void>();
  readonly #requests = new Map<number, { left: number; code: string | null; resolve: (code: string | null) => void }>();
  #number = 0;
  #closing = false;

  private constructor(port: number, members: Member[], release: () => Promise<void>, events: ThreadEvents) {
    this.port = port;
    this.#members = members;
    this.#release = release;
    for (const { worker } of members) {
      worker.on('message', (message: FromLandingThread) => {
        if (!this.#own(message)) events.onMessage(message);
      });
      worker.on('error', (error: unknown) => {
        events.onDeath(error instanceof Error ? error : new SealiftError('internal', String(error)));
      });
      worker.on('exit', () => {
        if (!this.#closing) events.onDeath(new SealiftError('internal', 'a thread of the landing ended'));
      });
    }
  }

  /** Starts `count` threads that listen on one port. Throws 'port-taken'. */
  static async start(
    where: { address: string; port: number; count: number; codec: string },
    events: ThreadEvents,
  ): Promise<LandingThreads> {
    const { address, count, codec } = where;
    const claim = await claimPort(address, where.port);
    const { port } = claim;
    const release = () => claim.release();
    const workers: Worker[] = [];
    try {
      for (let thread = 0; thread < count; thread += 1) {
        const slots = Math.ceil(landingSlots / count);
        const unauthenticated = Math.ceil(unauthenticatedConnections / count);
        workers.push(
          startThread('landing-thread', { address, port, thread, threads: count, codec, slots, unauthenticated }),
        );
      }
      await Promise.all(workers.map((worker) => listening(worker, `${address}:${String(port)}`)));
    } catch (error) {
      await Promise.all(workers.map((worker) => worker.terminate()));
      await release();
      throw error;
    }
    const members = workers.map((worker) => ({ worker, reading: 0 }));
    return new LandingThreads(port, members, release, events);
  }

  /** To the thread that has the connection. */
  tell(connection: string, message: ToLandingThread): void {
    this.#members[Number(connection.split('.')[0])]?.worker.postMessage(message);
  }

  tellAll(message: ToLandingThread): void {
    for (const { worker } of this.#members) worker.postMessage(message);
  }

  /** How many chunks may be read back at a time. */
  get readBackLanes(): number {
    return this.#members.length * readBackSlots;
  }

  /** The digest of a chunk as the device has it; the thread with the least to read does it. */
  async readBack(run: string, disk: number, index: number): Promise<Buffer> {
    const member = this.#members.reduce((least, other) => (other.reading < least.reading ? other : least));
    member.reading += 1;
    const job = this.#next();
    const { promise, resolve } = Promise.withResolvers<FromLandingThread & { kind: 'read' }>();
    this.#jobs.set(job, resolve);
    member.worker.postMessage({ kind: 'read-back', job, run, disk, index } satisfies ToLandingThread);
    const { digest, error } = await promise;
    member.reading -= 1;
    if (digest === null) throw fromPlain(error ?? { type: 'internal', message: 'a chunk was not read back' });
    return Buffer.from(digest, 'hex');
  }

  /** Ends the run's connections of sessions below `below`; returns when nothing writes for them any more. */
  async leave(run: string, below: number, closeDisks: boolean): Promise<void> {
    await this.#askAll((request) => ({ kind: 'leave', request, run, below, closeDisks }));
  }

  /** Listens at a further address. Throws 'tunnel-unready'. */
  async openInside(address: string): Promise<void> {
    const code = await this.#askAll((request) => ({ kind: 'open-inside', request, address }));
    if (code !== null)
      throw new SealiftError('tunnel-unready', `the landing cannot listen inside the tunnel, at ${address} (${code})`);
  }

  async closeInside(address: string): Promise<void> {
    await this.#askAll((request) => ({ kind: 'close-inside', request, address }));
  }

  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    this.tellAll({ kind: 'close' });
    await Promise.all(this.#members.map(({ worker }) => joinThread(worker)));
    await this.#release();
  }

  #own(message: FromLandingThread): boolean {
    if (message.kind === 'read') {
      this.#jobs.get(message.job)?.(message);
      this.#jobs.delete(message.job);
      return true;
    }
    if (message.kind === 'heeded') {
      const request = this.#requests.get(message.request);
      if (request === undefined) return true;
      request.left -= 1;
      request.code ??= message.code ?? null;
      if (request.left === 0) {
        this.#requests.delete(message.request);
        request.resolve(request.code);
      }
      return true;
    }
    return false;
  }

  /** Returns when all threads have done it; what the system said to one that could not. */
  async #askAll(ask: (request: number) => ToLandingThread): Promise<string | null> {
    const request = this.#next();
    const { promise, resolve } = Promise.withResolvers<string | null>();
    this.#requests.set(request, { left: this.#members.length, code: null, resolve });
    this.tellAll(ask(request));
    return promise;
  }

  #next(): number {
    this.#number += 1;
    return this.#number;
  }
}

async function listening(worker: Worker, name: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<FromLandingThread>();
  worker.once('message', resolve);
  worker.once('error', reject);
  const first = await promise;
  worker.removeListener('error', reject);
  if (first.kind === 'not-listening') throw portError(name, first.code);
}
