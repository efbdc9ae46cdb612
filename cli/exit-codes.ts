import { isSealiftError } from '../domain/error.ts';
import { errorKind, errorTypes } from '../domain/error-types.ts';
import type { ErrorType } from '../domain/error-types.ts';

/** The command line's exit codes; docs/cli.md has them for people. */
export const exitCodes = {
  done: 0,
  /** Failed; before the deed was signed over the source is as it was. */
  failed: 1,
  /** Wrong usage. */
  usage: 2,
  /** Refused before anything changed. */
  refused: 3,
  /** Waits for a person, or the VM that moved did not pass its probe. */
  waits: 4,
  /** Temporal or a host cannot be reached. */
  away: 5,
  /** Ctrl-C; the move goes on. */
  detached: 130,
} as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** The exit code for an error; whatever is no SealiftError is a defect and 1. */
export function exitCodeOf(error: unknown): ExitCode {
  return isSealiftError(error) ? exitCodeOfType(error.type) : exitCodes.failed;
}

/** The exit code for an error's type as a status or a result carries it. */
function exitCodeOfType(type: string): ExitCode {
  return (Object.hasOwn(errorTypes, type) ? errorKind(type as ErrorType).exitCode : undefined) ?? exitCodes.failed;
}
