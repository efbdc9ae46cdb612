import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { SealiftError, isSealiftError } from '../domain/error.ts';
import type { ErrorType } from '../domain/error-types.ts';

/** How many threads each end of a transfer takes when it is not told. */
export function defaultThreads(): number {
  return Math.min(2, availableParallelism());
}

/** Starts the worker thread whose module is `name` in this folder, from sources and from the compiled package alike. */
export function startThread(name: string, data: unknown): Worker {
  return new Worker(new URL(`./${name}${extname(import.meta.url)}`, import.meta.url), {
    workerData: data,
    // Chunks live outside of the heap; a small young generation keeps a thread's share of memory small.
    resourceLimits: { maxYoungGenerationSizeMb: 8 },
  });
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
