import { SealiftError } from '../domain/error.ts';
import type { TransferProgress } from '../domain/progress.ts';
import { signedSession } from '../domain/statement.ts';
import type { Session, Signed } from '../domain/statement.ts';
import type { SessionKeys } from '../seal/session.ts';
import type { Database } from '../storage/database.ts';
import type { Journal } from '../storage/journal.ts';
import { codecUrl } from './codec.ts';
import type { FromLandingThread } from './landing-messages.ts';
import { RunAtLanding } from './landing-run.ts';
import { LandingStore } from './landing-store.ts';
import { LandingThreads } from './landing-threads.ts';
import { encodeOpening, openingKind } from './opening.ts';
import { decodePlan } from './plan.ts';
import { endIfFatal, endProcess } from '../storage/fatal.ts';
import { defaultThreads, fromPlain, toPlain } from './threads.ts';

export { landingTables } from './landing-store.ts';

/** A disk as the landing writes it: made by this host for the run, under a private name. */
export interface LandingDisk {
  vdev: string;
  path: string;
  sizeBytes: number;
  sectorBytes: number;
  /** Made for this run and still all holes: zero chunks then need no write. False for a disk taken over from another run. */
  fresh: boolean;
}

/** Names a run at a landing: `<lineage>/<token>` and its disks in the manifest's order. */
export interface LandingPlace {
  run: string;
  disks: LandingDisk[];
}

/** What a connection may do, decided by `authorize` from its first frame. */
export interface LandingRun extends LandingPlace {
  keys: SessionKeys;
  /** The session's number; a higher one closes the connections of the lower ones. */
  number: number;
}

export interface LandingLog {
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
}

export interface LandingOptions {
  /** The address to listen on, such as `0.0.0.0`. */
  address: string;
  /** 0 takes a free one. */
  port: number;
  journal: Journal;
  /** The database of the journal, opened with `landingTables` too: the manifests are kept there. */
  database: Database;
  /**
   * Called for a connection's first frame: checks the statement's signature, the run and the session's number, and
   * unwraps the key. What it throws is told to the sender: its type and its message.
   */
  authorize(session: Signed<Session>): Promise<LandingRun>;
  /**
   * Begins an exchange with a peer that asks something beside all runs; one for a connection. Without it nobody may ask.
   * What its methods throw is told to the peer.
   */
  exchange?(): Exchange;
  /** Default: two, or one on a machine with one processor. */
  threads?: number;
  log: LandingLog;
}

/** One connection's question: first the peer asks for a key, then it asks. Bodies of frames go in and out. */
export interface Exchange {
  key(nonce: Buffer): Promise<Buffer>;
  answer(question: Buffer): Promise<Buffer>;
}

export interface MissingChunk {
  disk: number;
  index: number;
}

export interface Landing {
  readonly port: number;
  /** Refuses frames of the run from now on and durably, and returns when nothing writes its disks any more. */
  drain(run: string): Promise<void>;
  /**
   * Reads back from the devices what was not read back yet, and tells which chunks are not there. Works before and after
   * `drain`, and needs no connection. A chunk that does not read as it was acknowledged leaves the journal and is missing.
   */
  readBack(
    place: LandingPlace,
    onProgress?: (progress: TransferProgress) => void,
    signal?: AbortSignal,
  ): Promise<{ missing: MissingChunk[] }>;
  /** The manifest's bytes (`decodeManifest`) as the sender gave them, kept durably; null before. */
  manifest(run: string): Buffer | null;
  /** Closes the run's connections and disks; journal and manifest stay. */
  forget(run: string): Promise<void>;
  close(): Promise<void>;
}

/**
 * Starts the landing: one port, on which every run of this host receives its chunks. Throws 'port-taken'.
 * Per chunk: verified, written, synced, journaled, then acknowledged; and read back from the device beside that.
 */
export async function startLanding(options: LandingOptions): Promise<Landing> {
  return startLandingWith(options, codecUrl);
}

/** The same with another codec: the bench measures by it what sealing costs. */
export async function startLandingWith(options: LandingOptions, codec: string): Promise<Landing> {
  const service = new LandingService(options);
  const { address, port, threads = defaultThreads() } = options;
  await service.start({ address, port, count: threads, codec });
  return service;
}

class LandingService implements Landing {
  readonly #options: LandingOptions;
  readonly #store: LandingStore;
  readonly #runs = new Map<string, RunAtLanding>();
  /** Which run a connection belongs to. */
  readonly #owners = new Map<string, RunAtLanding>();
  #threads: LandingThreads | null = null;
  /** First frames are looked at one after the other: a crowd of them must not keep the host from its work. */
  #hellos: Promise<void> = Promise.resolve();
  readonly #exchanges = new Map<string, Exchange>();

  constructor(options: LandingOptions) {
    this.#options = options;
    this.#store = new LandingStore(options.database);
  }

  async start(where: { address: string; port: number; count: number; codec: string }): Promise<void> {
    this.#threads = await LandingThreads.start(where, {
      onMessage: (message) => {
        this.#guarded(message);
      },
      onDeath: (error) => {
        this.#fatal(error);
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
    const run = this.#runFor(place);
    this.#started().tellAll({ kind: 'disks', run: run.run, disks: run.disks });
    try {
      await run.readBack.rest(signal, () => onProgress?.(run.progress()));
    } finally {
      if (!run.hasConnections()) await run.leave();
    }
    return { missing: run.readBack.missing() };
  }

  manifest(run: string): Buffer | null {
    return this.#store.manifest(run);
  }

  async forget(run: string): Promise<void> {
    const known = this.#runs.get(run);
    await known?.leave();
    this.#runs.delete(run);
  }

  async close(): Promise<void> {
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
        this.#hellos = this.#hellos.then(() => this.#hello(message));
        return;
      case 'asked':
        this.#asked(message);
        return;
      case 'plan':
        this.#owners.get(message.connection)?.plan(message.connection, decodePlan(Buffer.from(message.payload)));
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
        this.#owners.get(message.connection)?.gone(message.connection);
        this.#owners.delete(message.connection);
        this.#exchanges.delete(message.connection);
        return;
      case 'trouble':
        this.#options.log.warn({ peer: message.peer, error: message.error }, message.message);
        return;
      default:
        return;
    }
  }

  async #hello({ connection, statement, stream }: FromLandingThread & { kind: 'hello' }): Promise<void> {
    try {
      const session = parseSession(Buffer.from(statement));
      const asked = await this.#options.authorize(session);
      const run = this.#runFor(asked);
      const grant = await run.enter(asked, session.signature, connection, stream);
      this.#owners.set(connection, run);
      this.#started().tell(connection, { kind: 'granted', connection, grant });
    } catch (error) {
      this.#options.log.warn({ error: toPlain(error) }, 'a sender was refused');
      this.#refuse(connection, error);
    }
  }

  #asked(message: FromLandingThread & { kind: 'asked' }): void {
    const { connection } = message;
    const exchange = this.#exchanges.get(connection) ?? this.#options.exchange?.();
    if (exchange === undefined) throw new SealiftError('bad-frame', 'this landing answers no questions');
    this.#exchanges.set(connection, exchange);
    this.#hellos = this.#hellos.then(() => this.#answer(message, exchange));
  }

  async #answer({ connection, what, body }: FromLandingThread & { kind: 'asked' }, exchange: Exchange): Promise<void> {
    try {
      const frame =
        what === 'ask'
          ? encodeOpening(openingKind.askKey, await exchange.key(Buffer.from(body)))
          : encodeOpening(openingKind.answer, await exchange.answer(Buffer.from(body)));
      this.#started().tell(connection, { kind: 'answered', connection, frame });
    } catch (error) {
      this.#options.log.warn({ error: toPlain(error) }, 'a question was refused');
      this.#refuse(connection, error);
    }
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

function parseSession(bytes: Buffer): Signed<Session> {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw new SealiftError('bad-statement', 'the statement of a first frame does not parse');
  }
  const parsed = signedSession.safeParse(value);
  if (!parsed.success) throw new SealiftError('bad-statement', 'a first frame does not hold a session statement');
  return parsed.data;
}
