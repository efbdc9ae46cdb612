import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { parentPort, Worker, workerData } from 'node:worker_threads';
import { dom0, enterDom0 } from '../dom0/dom0.ts';
import type { RemoteDom0 } from '../dom0/access.ts';
import { SealiftError, isSealiftError } from '../domain/error.ts';
import type { ErrorType } from '../domain/error-types.ts';

/** How many threads each end of a transfer takes when it is not told. */
export function defaultThreads(): number {
  return Math.min(2, availableParallelism());
}

/** Starts the worker thread whose module is `name` in this folder, from sources and from the compiled package alike. */
export function startThread(name: string, data: unknown): Worker {
  return new Worker(new URL(`./${name}${extname(import.meta.url)}`, import.meta.url), {
    workerData: { data, remote: dom0().remote },
    // Chunks live outside of the heap; a small young generation keeps a thread's share of memory small.
    resourceLimits: { maxYoungGenerationSizeMb: 8 },
  });
}

/** In a thread: what it was started with. It works on the same dom0 as who started it. */
export function threadData(): unknown {
  const { data, remote } = workerData as { data: unknown; remote: RemoteDom0 | null };
  enterDom0(remote);
  return data;
}

/** In a thread: ends it when nothing of it is under way any more. */
export function leaveThread(): void {
  dom0().leave();
  parentPort?.close();
}

const exitLimitMs = 5_000;

/** Waits until a thread that was told to close has ended; ends one that does not. */
export async function joinThread(thread: Worker): Promise<void> {
  if (thread.threadId === -1) return;
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => {
    resolve(false);
  }, exitLimitMs);
  thread.once('exit', () => {
    resolve(true);
  });
  if (!(await promise)) await thread.terminate();
  clearTimeout(timer);
}

/** An error as it crosses between threads. */
export interface PlainError {
  type: ErrorType;
  message: string;
}

export function toPlain(error: unknown): PlainError {
  if (isSealiftError(error)) return { type: error.type, message: error.message };
  return { type: 'internal', message: error instanceof Error ? error.message : String(error) };
}

export function fromPlain(error: PlainError): SealiftError {
  return new SealiftError(error.type, error.message);
}
