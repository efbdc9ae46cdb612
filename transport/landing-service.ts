import type { TransferProgress } from '../domain/progress.ts';
import { SealiftError } from '../domain/error.ts';
import { endIfFatal, endProcess } from '../storage/fatal.ts';
import type { Landing, LandingOptions, LandingPlace, LandingRun, MissingChunk } from './landing.ts';
import { FirstFrames } from './landing-first-frames.ts';
import type { FromLandingThread } from './landing-messages.ts';
import { RunAtLanding } from './landing-run.ts';
import { MemoryArrivals } from './landing-memory.ts';
import { LandingStore } from './landing-store.ts';
import { LandingThreads } from './landing-threads.ts';
import { decodeMemoryBegin, decodePlan } from './plan.ts';
import { fromPlain, toPlain } from './threads.ts';

/** The landing's main thread: which run a connection and a message of a thread belong to. */
export class LandingService implements Landing {
  readonly #options: LandingOptions;
  readonly #store: LandingStore;
  readonly #runs = new Map<string, RunAtLanding>();
  /** Which run a connection belongs to. */
  readonly #owners = new Map<string, RunAtLanding>();
  readonly #firstFrames: FirstFrames;
  readonly #arrivals: MemoryArrivals;
  #threads: LandingThreads | null = null;
  #closing = false;

  /** Starts `count` threads that listen on one port. Throws 'port-taken'. */
  static async start(
    options: LandingOptions,
    where: { address: string; port: number; count: number; codec: string },
  ): Promise<LandingService> {
    const service = new LandingService(options);
    service.#threads = await LandingThreads.start(where, {
      onMessage: (message) => {
        service.#guarded(message);
      },
      onDeath: (error) => {
        service.#fatal(error);
      },
    });
    return service;
  }

  private constructor(options: LandingOptions) {
    this.#options = options;
    this.#store = new LandingStore(options.database);
    this.#firstFrames = new FirstFrames(options, {
      enter: (...asked) => this.#enter(...asked),
      answer: (connection, frame) => {
        this.#started().tell(connection, { kind: 'answered', connection, frame });
      },
      refuse: (connection, error) => {
        this.#refuse(connection, error);
      },
    });
    this.#arrivals = new MemoryArrivals(options, {
      tell: (connection, message) => {
        this.#started().tell(connection, message);
      },
      refuse: (connection, error) => {
        this.#refuse(connection, error);
      },
    });
  }

  get port(): number {
    return this.#started().port;
  }

  async drain(run: string): Promise<void> {
    const known = this.#runs.get(run);
    if (known === undefined) this.#options.journal.close(run);
    else await known.drain();
  }

  async readBack(
    place: LandingPlace,
    onProgress?: (progress: TransferProgress) => void,
    signal?: AbortSignal,
  ): Promise<{ missing: MissingChunk[] }> {
    const missing = await this.#runFor(place).readBack(signal, (progress) => onProgress?.(progress));
    return { missing };
  }

  manifest(run: string): Buffer | null {
    return this.#store.manifest(run);
  }

  openInside(address: string): Promise<void> {
    return this.#started().openInside(address);
  }

  closeInside(address: string): Promise<void> {
    return this.#started().closeInside(address);
  }

  async forget(run: string): Promise<void> {
    await this.#runs.get(run)?.end();
    this.#runs.delete(run);
  }

  async close(): Promise<void> {
    this.#closing = true;
    for (const run of this.#runs.keys()) await this.forget(run);
    await this.#started().close();
  }

  #guarded(message: FromLandingThread): void {
    try {
      this.#handle(message);
    } catch (error) {
      this.#options.log.error({ error: toPlain(error) }, 'the landing could not handle a frame');
      if ('connection' in message) this.#refuse(message.connection, error);
    }
  }

  #handle(message: FromLandingThread): void {
    switch (message.kind) {
      case 'hello':
        void this.#firstFrames.hello(message);
        return;
      case 'asked':
        void this.#firstFrames.asked(message);
        return;
      case 'plan':
        this.#owners.get(message.connection)?.plan(message.connection, decodePlan(Buffer.from(message.payload)));
        return;
      case 'memory-begin': {
        const owner = this.#owners.get(message.connection);
        if (owner === undefined) return;
        const coming = { run: owner.run, session: owner.session };
        void this.#arrivals.begin(message.connection, coming, decodeMemoryBegin(Buffer.from(message.payload)));
        return;
      }
      case 'memory':
        void this.#arrivals.memory(message.connection, Buffer.from(message.bytes));
        return;
      case 'written':
        this.#runs.get(message.run)?.written(message);
        return;
      case 'not-written':
        this.#runs.get(message.run)?.fail(fromPlain(message.error));
        return;
      case 'manifest':
        this.#owners.get(message.connection)?.manifest(message.connection, Buffer.from(message.bytes));
        return;
      case 'gone':
        this.#firstFrames.gone(message.connection);
        this.#arrivals.gone(message.connection);
        this.#owners.get(message.connection)?.gone(message.connection);
        this.#owners.delete(message.connection);
        return;
      case 'trouble':
        this.#options.log.warn({ peer: message.peer, error: message.error }, message.message);
        return;
      default:
        return;
    }
  }

  async #enter(asked: LandingRun, signature: string, connection: string, stream: number): Promise<void> {
    if (this.#closing) throw new SealiftError('landing-away', 'the landing is stopping');
    const run = this.#runFor(asked);
    this.#owners.set(connection, run);
    await run.enter(asked, signature, connection, stream);
  }

  #refuse(connection: string, error: unknown): void {
    endIfFatal(error);
    const plain = toPlain(error);
    // What went wrong inside of this host is for its own log.
    const told = plain.type === 'internal' ? { ...plain, message: 'the landing failed' } : plain;
    this.#started().tell(connection, { kind: 'refused', connection, error: told });
  }

  #runFor(place: LandingPlace): RunAtLanding {
    let run = this.#runs.get(place.run);
    if (run === undefined) {
      run = new RunAtLanding(place, {
        journal: this.#options.journal,
        store: this.#store,
        threads: this.#started(),
        onTrouble: (error) => {
          this.#options.log.warn({ run: place.run, error: toPlain(error) }, 'trouble at the landing');
        },
        onFatal: (error) => {
          this.#fatal(error);
        },
      });
      this.#runs.set(place.run, run);
    }
    return run;
  }

  #fatal(error: Error): void {
    this.#options.log.error({ error: toPlain(error) }, 'the landing cannot go on and ends this process');
    endProcess(error);
  }

  #started(): LandingThreads {
    if (this.#threads === null) throw new SealiftError('internal', 'the landing has not started');
    return this.#threads;
  }
}
