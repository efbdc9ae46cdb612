import type { BoardMemory } from './sender-board.ts';
import type { PlainError } from './threads.ts';

/** What a sender's thread starts with. */
export interface SenderThreadData {
  board: BoardMemory;
  thread: number;
  threads: number;
  streams: number;
  codec: string;
  address: string;
  port: number;
  /** This host's address to come from, where it matters. */
  from: string | undefined;
  key: Uint8Array;
  context: Uint8Array;
  clear: boolean | undefined;
  /** Canonical JSON of the signed session statement. */
  statement: Uint8Array;
  disks: { vdev: string; path: string; sizeBytes: number }[];
  stallMs: number;
}

export type ToSenderThread =
  /** How many streams all threads together shall have. */
  | { kind: 'streams'; streams: number }
  /** All chunks have been read: hand the manifest over. */
  | { kind: 'manifest'; bytes: Uint8Array }
  | { kind: 'close' };

export type FromSenderThread =
  /** Chunks whose own digests are new on the board. */
  | { kind: 'digests'; chunks: number[] }
  | { kind: 'stored' }
  | { kind: 'trouble'; error: PlainError }
  | { kind: 'failed'; error: PlainError };
