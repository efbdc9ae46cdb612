import type { ScheduleExecutionResult } from '@temporalio/client';
import { isSealiftError } from '../domain/error.ts';
import type { ScheduledMoveResult } from '../workflows/contract.ts';
import { asSealift } from './errors.ts';
import type { Link } from './link.ts';

/** What came of a schedule's start in one line; null when there was none, or Temporal has forgotten it. */
export async function outcomeOf(link: Link, start: ScheduleExecutionResult | undefined): Promise<string | null> {
  if (start === undefined) return null;
  const { workflowId, firstExecutionRunId } = start.action.workflow;
  const handle = link.client.workflow.getHandle(workflowId, firstExecutionRunId);
  try {
    return await asSealift({ address: link.address, workflowId }, async () => {
      if ((await handle.describe()).status.name === 'RUNNING') return 'begins';
      return lineOf((await handle.result()) as ScheduledMoveResult);
    });
  } catch (error) {
    if (!isSealiftError(error) || error.type === 'temporal-away') throw error;
    return error.type === 'unknown-run' ? null : `failed: ${error.message}  [${error.type}]`;
  }
}

function lineOf({ started, skipped }: ScheduledMoveResult): string {
  const parts = started.length === 0 ? [] : [`started ${started.map((one) => one.vmName).join(', ')}`];
  parts.push(...skipped.map((one) => `skipped ${one.vmName}: ${one.reason}`));
  return parts.length === 0 ? 'nothing to move' : parts.join('; ');
}
