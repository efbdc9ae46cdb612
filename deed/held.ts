import { SealiftError } from '../domain/error.ts';
import type { Holder } from '../storage/holders.ts';

/** The process is named in the cause only: which programs run on a host is for its own log. */
export function heldOpen(what: string, { command, pid }: Holder): SealiftError {
  return new SealiftError('disk-busy', `${what} is held open by another process`, {
    hint: "the log of the host's worker names it",
    cause: new Error(`held open by ${command} (pid ${String(pid)})`),
  });
}

export function notFenced(what: string): SealiftError {
  return new SealiftError('fence-failed', `not fenced: ${what}`);
}
