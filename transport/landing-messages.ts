import type { ControlKind } from './control.ts';
import type { PlainError } from './threads.ts';

/** What a landing's thread starts with. */
export interface LandingThreadData {
  address: string;
  port: number;
  thread: number;
  threads: number;
  codec: string;
  slots: number;
  unauthenticated: number;
}

export interface ThreadDisk {
  vdev: string;
  path: string;
  sizeBytes: number;
  /** One byte a chunk, shared by all threads: whether anything may have been written there. */
  touched: SharedArrayBuffer;
}

/** A run's session as the threads need it. */
export interface Grant {
  run: string;
  number: number;
  key: Uint8Array;
  context: Uint8Array;
  clear: boolean | undefined;
  disks: ThreadDisk[];
  /** Whether the journal has chunks of the run. */
  holds: boolean;
  /** One counter a chunk and disk, shared by all threads: the newest record of the session that was let in. */
  newest: SharedArrayBuffer[];
}

export type ToLandingThread =
  | { kind: 'granted'; connection: string; grant: Grant }
  | { kind: 'refused'; connection: string; error: PlainError }
  /** The answer to what was asked on a connection that belongs to no run, as a whole frame. */
  | { kind: 'answered'; connection: string; frame: Uint8Array }
  /** A control frame for the sender; what would be thousands of objects crosses as the bytes that go out. */
  | { kind: 'control'; connection: string; control: ControlKind; payload: Uint8Array }
  | { kind: 'planned'; connection: string; beatMs: number }
  /** What came last of a guest's memory was taken: the next piece may come. */
  | { kind: 'memory-taken'; connection: string }
  /** Ends a connection without a word: its stream has come back by another one. */
  | { kind: 'drop'; connection: string }
  | { kind: 'disks'; run: string; disks: ThreadDisk[] }
  | { kind: 'read-back'; job: number; run: string; disk: number; index: number }
  /** Ends the run's connections of sessions below `below`; answered by `left` when nothing of theirs writes any more. */
  | { kind: 'leave'; request: number; run: string; below: number; closeDisks: boolean }
  /** Listens at a further address on the landing's port; answered by `heeded`, and so is its end. */
  | { kind: 'open-inside'; request: number; address: string }
  | { kind: 'close-inside'; request: number; address: string }
  | { kind: 'close' };

/** Digests are in hex: a buffer of 32 bytes is a slice of Node's pool, and all 8 KiB of the pool would be copied with it. */
export type FromLandingThread =
  | { kind: 'listening'; port: number }
  | { kind: 'not-listening'; code: string }
  /** `at`: the address of this host that it came to. */
  | { kind: 'hello'; connection: string; statement: Uint8Array; stream: number; at: string }
  | { kind: 'asked'; connection: string; what: 'ask' | 'question'; body: Uint8Array }
  | { kind: 'plan'; connection: string; payload: Uint8Array }
  | { kind: 'memory-begin'; connection: string; payload: Uint8Array }
  | { kind: 'memory'; connection: string; bytes: Uint8Array }
  | { kind: 'written'; connection: string; run: string; disk: number; index: number; digest: string; zero: boolean }
  | { kind: 'not-written'; run: string; error: PlainError }
  | { kind: 'manifest'; connection: string; bytes: Uint8Array }
  | { kind: 'read'; job: number; digest: string | null; error: PlainError | null }
  /** What a request asked for is done; `code`: what the system said where it is not. */
  | { kind: 'heeded'; request: number; code?: string }
  | { kind: 'gone'; connection: string }
  | { kind: 'trouble'; message: string; error: PlainError; peer: string };
