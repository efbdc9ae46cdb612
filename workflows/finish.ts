import {
  allHandlersFinished,
  CancellationScope,
  condition,
  ContinueAsNew,
  TemporalFailure,
} from '@temporalio/workflow';
import { finishInput } from './contract.ts';
import type { FinishRequest, FinishResult } from './contract.ts';
import { failureOf, parseInput, troubleOf } from './failures.ts';
import { answerStatus, takeAbort } from './handlers.ts';
import { onHost } from './on-host.ts';
import type { TaskState } from './state.ts';
import { createTask, enter, leave } from './task.ts';

/**
 * Ends a VM's hold: the holder says that it stays, and by that word the fenced copy at its old host may be removed. Neither
 * step is ever undone: a finish that was aborted or failed between them goes on when it is asked for again.
 */
export async function finishHold(request: FinishRequest, state?: TaskState): Promise<FinishResult> {
  const input = parseInput(finishInput, request);
  const { vmName, vmUuid, host, holder, token, by, migrationId, timings } = input;
  const about = { migrationId, vmUuid, vmName, timings, from: host, to: holder, method: 'sealed' as const };
  const task = createTask({ kind: 'finish', ...about, graceMs: 0, onStuckGuest: 'wait' }, request, state);
  answerStatus(task);
  takeAbort(task);
  try {
    const released = await CancellationScope.cancellable(async () => {
      task.live.scope = CancellationScope.current();
      enter(task, 'open');
      const stays = { summary: `settle ${vmName} on ${holder}` };
      const { settled, released: older } = await onHost(task, holder, 'settleHold', stays, { vmUuid, token, by });
      const summary = `release the copy of ${vmName} on ${host}`;
      const { released: newest } = await onHost(task, host, 'finishHold', { summary }, { settled, by });
      return [...newest, ...older];
    });
    leave(task, `${String(released.length)} to be collected`);
    task.state.passed = true;
    enter(task, 'done');
    await condition(allHandlersFinished);
    return { vmUuid, vmName, host, released };
  } catch (error) {
    if (error instanceof ContinueAsNew || !(error instanceof TemporalFailure)) throw error;
    const trouble = troubleOf(error, { ...task.about, host });
    task.live.verdict = { passed: false, restarted: false };
    task.state.trouble = trouble;
    enter(task, trouble.aborted ? 'aborted' : 'failed');
    await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
    throw failureOf(trouble);
  }
}
