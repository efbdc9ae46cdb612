import type { WorkflowHandle } from '@temporalio/client';
import { isSealiftError, SealiftError } from '../domain/error.ts';
import type { UpdateName } from '../workflows/contract.ts';
import { summary } from './list.ts';
import type { MoveSummary } from './types.ts';

const words: Record<MoveSummary['kind'], string> = { migrate: 'move', revert: 'revert', finish: 'finish' };

/**
 * What to throw when an order finds no open workflow: Temporal says the same of one that has ended and of one that never was.
 * An ended one is named with its end; an abort of a move that is done is refused, with the way back.
 */
export async function afterTheEnd(handle: WorkflowHandle, order: UpdateName, error: unknown): Promise<unknown> {
  if (!isSealiftError(error) || error.type !== 'unknown-run') return error;
  const found = await handle.describe().catch(() => null);
  if (found === null || found.status.name === 'RUNNING' || found.status.name === 'PAUSED') return error;
  const { kind, phase, to, vmName, vmUuid } = summary(found);
  const vm = vmName ?? vmUuid;
  const end = phase === 'done' && kind !== 'finish' ? `done, on ${String(to)}` : (phase ?? 'at once');
  const how = found.status.name === 'TERMINATED' ? `terminated in phase ${String(phase)}` : end;
  const line = `the ${words[kind]} of ${vm} has ended (${how})`;
  if (order === 'abort' && kind === 'migrate' && phase === 'done') {
    return new SealiftError('abort-refused', line, {
      hint: `it belongs to ${String(to)} now; bring it back with: sealift revert ${vm}`,
      cause: error,
    });
  }
  return new SealiftError('ended', line, { hint: `see how it ended: sealift show ${vm}`, cause: error });
}
