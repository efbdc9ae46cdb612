import type { MoveHandle, MoveProgress } from '../../client/index.ts';
import { phases } from '../../domain/progress.ts';
import type { Phase } from '../../domain/progress.ts';

/** Waits until a look at the move satisfies `wanted`; throws when it ends before. */
export async function until(
  move: Pick<MoveHandle, 'progress'>,
  wanted: (at: MoveProgress) => boolean,
): Promise<MoveProgress> {
  let last: MoveProgress | undefined;
  for await (const at of move.progress({ intervalMs: 50 })) {
    last = at;
    if (wanted(at)) return at;
  }
  throw new Error(`the move ended in phase ${String(last?.phase)}: ${JSON.stringify(last?.status.error)}`);
}

/** What a look tells of steps and streams that fail. */
export function troubles(at: MoveProgress): string {
  return [at.trouble, at.transfer?.trouble, ...at.pending.map(({ failure }) => failure)].join('\n');
}

/** Waits until the move is in a phase or beyond it: a phase may be over between two looks. */
export function untilPast(move: Pick<MoveHandle, 'progress'>, phase: Phase): Promise<MoveProgress> {
  const order: readonly string[] = phases;
  return until(move, (at) => order.indexOf(at.phase) >= order.indexOf(phase));
}

export function untilPhase(move: MoveHandle, phase: Phase): Promise<MoveProgress> {
  return until(move, (at) => at.phase === phase);
}
