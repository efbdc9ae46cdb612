import { allHandlersFinished, condition, ContinueAsNew, TemporalFailure } from '@temporalio/workflow';
import { finishInput } from './contract.ts';
import type { FinishRequest, FinishResult } from './contract.ts';
import { failureOf, parseInput, troubleOf } from './failures.ts';
import { answerStatus } from './handlers.ts';
import { onHost } from './on-host.ts';
import type { TaskState } from './state.ts';
import { createTask, enter, leave } from './task.ts';

/**
 * Ends a VM's hold: the holder says that it stays, and by that word the fenced copy at its old host may be removed. Neither
 * step is ever undone: a finish that stopped between them goes on when it is asked for again.
 */
export async function finishHold(request: FinishRequest, state?: TaskState): Promise<FinishResult> {
  const input = parseInput(finishInput, request);
  const { vmName, vmUuid, host, holder, by, migrationId, timings } = input;
  const about = { migrationId, vmUuid, vmName, timings, from: host, to: holder, method: 'sealed' as const };
  const task = createTask({ kind: 'finish', ...about, graceMs: 0, onStuckGuest: 'wait' }, request, state);
  answerStatus(task);
  try {
    enter(task, 'open');
    const stays = { summary: `settle ${vmName} on ${holder}` };
    const { settled, released: older } = await onHost(task, holder, 'settleHold', stays, { vmUuid, to: host, by });
    const summary = `release the copy of ${vmName} on ${host}`;
    const { released } = await onHost(task, host, 'finishHold', { summary }, { settled, by });
    leave(task, `${String(released.length + older.length)} to be collected`);
    enter(task, 'done');
    await condition(allHandlersFinished);
    return { vmUuid, vmName, host, released: [...released, ...older] };
  } catch (error) {
    if (error instanceof ContinueAsNew || !(error instanceof TemporalFailure)) throw error;
    const trouble = troubleOf(error, { vmName, host });
    task.state.trouble = trouble;
    enter(task, trouble.aborted ? 'aborted' : 'failed');
    throw failureOf(trouble);
  }
}
