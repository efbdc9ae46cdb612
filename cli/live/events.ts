import type { MigrationStatus, MoveProgress, TransferProgress } from '../../client/index.ts';

/** The line of `sealift migrate --json` and `sealift watch --json` while a move goes on; docs/cli.md has all of them. */
export interface ProgressEvent {
  event: 'progress';
  at: string;
  phase: MigrationStatus['phase'];
  verifiedBytes: number;
  totalBytes: number;
  transfer: TransferProgress | null;
  done: MigrationStatus['done'];
  waits: string[];
  paused: boolean;
  trouble: string | null;
}

const everyMs = 1000;

/** Looks as events: each change of phase, waits or trouble at once, bytes at most once a second. */
export class EventLines {
  #said = '';
  #bytes = '';
  #atMs = Number.NEGATIVE_INFINITY;

  next(look: MoveProgress, nowMs: number): ProgressEvent | null {
    const { status } = look;
    const said = JSON.stringify([look.phase, status.waits, status.paused, look.trouble, status.done.length]);
    const bytes = JSON.stringify([look.verifiedBytes, look.transfer]);
    const changed = said !== this.#said || (bytes !== this.#bytes && nowMs - this.#atMs >= everyMs);
    if (!changed) return null;
    this.#said = said;
    this.#bytes = bytes;
    this.#atMs = nowMs;
    return {
      event: 'progress',
      at: new Date(nowMs).toISOString(),
      phase: look.phase,
      verifiedBytes: look.verifiedBytes,
      totalBytes: look.totalBytes,
      transfer: look.transfer,
      done: status.done,
      waits: status.waits,
      paused: status.paused,
      trouble: look.trouble,
    };
  }
}
