import type { TransferProgress } from '../domain/progress.ts';
import type { Session, Signed } from '../domain/statement.ts';
import type { SessionKeys } from '../seal/session.ts';
import type { Database } from '../storage/database.ts';
import type { Journal } from '../storage/journal.ts';
import { codecUrl } from './codec.ts';
import { LandingService } from './landing-service.ts';
import { defaultThreads } from './threads.ts';

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
  /** The only address of this host at which its connections are taken: inside a tunnel. Anywhere, without one. */
  inside?: string | undefined;
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
  /** Takes a guest that comes with its memory (`live`). What it throws, or its taker, is told to the sender. */
  receiveMemory?(
    coming: { run: string; session: number; config: string },
    /** Aborted when its connection is gone. */
    signal: AbortSignal,
  ): Promise<MemoryTaker>;
  /** Default: two, or one on a machine with one processor. */
  threads?: number;
  log: LandingLog;
}

/** One connection's question: first the peer asks for a key, then it asks. Bodies of frames go in and out. */
export interface Exchange {
  key(nonce: Buffer): Promise<Buffer>;
  answer(question: Buffer): Promise<Buffer>;
}

/** Where the memory of a guest goes that comes in one session of its run. */
export interface MemoryTaker {
  /** Takes the next bytes; resolves when it will take more. */
  take(piece: Buffer): Promise<void>;
  /** Resolves when the guest is there as a whole, durably known; rejects when it will not be. */
  readonly arrived: Promise<void>;
  /** Nothing more comes: what is not whole is given up. */
  cut(): void;
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
  /** Listens at `address`, which is inside a tunnel, too. Throws `tunnel-unready`. */
  openInside(address: string): Promise<void>;
  closeInside(address: string): Promise<void>;
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
  const { address, port, threads = defaultThreads() } = options;
  return LandingService.start(options, { address, port, count: threads, codec });
}
