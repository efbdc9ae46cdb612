import { writeSync } from 'node:fs';
import { isSealiftError, SealiftError } from '../domain/error.ts';

/** EX_SOFTWARE of sysexits.h. */
const fatalExitCode = 70;

/**
 * An error after which nobody knows what is on a disk, or this process's memory may be ahead of it: whoever learns of it ends the
 * process (`endProcess`), and the one that is started next reads what is there.
 */
export function fatalError(message: string, cause: unknown): SealiftError {
  return new SealiftError('disk-io', message, { cause, fatal: true });
}

/** Ends this process if the error is fatal. */
export function endIfFatal(error: unknown): void {
  if (isSealiftError(error) && error.fatal) endProcess(error);
}

/** Ends this process at once, with exit code 70 and a last line on standard error in the form of the log's. */
export function endProcess({ message }: Error): never {
  const line = { level: 60, time: Date.now(), error: message, msg: 'this process cannot go on and ends' };
  try {
    writeSync(2, `${JSON.stringify(line)}\n`);
  } catch {
    // Where the log cannot be written the exit code says it.
  }
  process.exit(fatalExitCode);
}
