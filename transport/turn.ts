import { setTimeout as sleep } from 'node:timers/promises';
import type { Board } from './sender-board.ts';

/** A slice under a limit takes about a quarter of a second, so that a change is felt soon. */
const slicesPerSecond = 4;
const leastSliceBytes = 4 * 1024;

/** How much to send in one turn under the limit in force, at most `mostBytes`. */
export function turnBytes(board: Board, mostBytes: number): number {
  const { limit } = board;
  return limit === null
    ? mostBytes
    : Math.min(mostBytes, Math.max(leastSliceBytes, Math.floor(limit / slicesPerSecond)));
}

/** Waits until `bytes` may go on the wire; at once without a limit, and anew when the limit changes meanwhile. */
export async function waitTurn(board: Board, bytes: number, isOver: () => boolean): Promise<void> {
  for (;;) {
    const { limit, limitChanges } = board;
    if (limit === null) return;
    const startNs = board.reserve(bytes, limit, process.hrtime.bigint());
    for (;;) {
      if (isOver()) return;
      const restMs = Number(startNs - process.hrtime.bigint()) / 1e6;
      if (restMs <= 0) return;
      if (board.limitChanges !== limitChanges) break;
      const stepMs = Math.min(restMs, 200);
      await sleep(stepMs);
      board.count('limitedNs', stepMs * 1e6);
    }
  }
}
