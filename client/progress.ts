import { setTimeout as delay } from 'node:timers/promises';
import type { DescribeWorkflowExecutionResponse, WorkflowHandle } from '@temporalio/client';
import { decodeArrayFromPayloads } from '@temporalio/common/lib/internal-non-workflow/index.js';
import { isSealiftError } from '../domain/error.ts';
import { migrationStatus } from '../domain/migration.ts';
import type { MigrationStatus } from '../domain/migration.ts';
import { transferProgress } from '../domain/progress.ts';
import type { TransferProgress } from '../domain/progress.ts';
import { asSealift } from './errors.ts';
import type { Link } from './link.ts';
import type { MoveProgress, PendingStep, WatchOptions } from './types.ts';

interface Seen {
  pending: PendingStep[];
  transfer: TransferProgress | null;
  closed: boolean;
}

/** The workflow's own account of where it stands. */
export async function readStatus(link: Link, handle: WorkflowHandle): Promise<MigrationStatus> {
  return asSealift({ address: link.address, workflowId: handle.workflowId }, async () =>
    migrationStatus.parse(await handle.query<unknown>('status')),
  );
}

/**
 * Looks at a migration until it has ended. While Temporal or the control worker is away, the last look is given again with
 * the trouble named: a watcher outlives both.
 */
export async function* watchMove(
  link: Link,
  handle: WorkflowHandle,
  options: WatchOptions = {},
): AsyncGenerator<MoveProgress, undefined, undefined> {
  const { intervalMs = 500, signal } = options;
  let last: MoveProgress | null = null;
  while (signal?.aborted !== true) {
    try {
      // Described first: a workflow seen closed has its last status.
      const seen = await describe(link, handle);
      last = join(await readStatus(link, handle), seen, last);
      yield last;
      if (last.closed) return;
    } catch (error) {
      const away = isSealiftError(error) && (error.type === 'temporal-away' || error.type === 'host-away');
      if (!away || last === null) throw error;
      yield { ...last, trouble: error.message };
    }
    await delay(intervalMs, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
  }
}

function join(status: MigrationStatus, seen: Seen, last: MoveProgress | null): MoveProgress {
  const moving = status.phase === 'move' || status.phase === 'ready';
  const before = moving ? last?.transfer : null;
  const transfer = seen.transfer ?? before ?? status.progress;
  const sum = (key: 'verifiedBytes' | 'totalBytes'): number =>
    transfer?.disks.reduce((total, disk) => total + disk[key], 0) ?? 0;
  const failing = seen.pending.find((one) => one.failure !== null);
  return {
    phase: status.phase,
    verifiedBytes: sum('verifiedBytes'),
    totalBytes: sum('totalBytes'),
    transfer,
    pending: seen.pending,
    trouble: failing?.failure ?? transfer?.trouble ?? null,
    status,
    closed: seen.closed,
  };
}

async function describe(link: Link, handle: WorkflowHandle): Promise<Seen> {
  return asSealift({ address: link.address, workflowId: handle.workflowId }, async () => {
    const { raw, status } = await handle.describe();
    const pending: PendingStep[] = [];
    let transfer: TransferProgress | null = null;
    for (const one of raw.pendingActivities ?? []) {
      pending.push({
        name: one.activityType?.name ?? 'step',
        attempt: one.attempt ?? 1,
        failure: one.lastFailure?.message?.split('\n')[0] ?? null,
      });
      transfer = (await heartbeat(link, one)) ?? transfer;
    }
    return { pending, transfer, closed: status.name !== 'RUNNING' && status.name !== 'PAUSED' };
  });
}

type Pending = NonNullable<DescribeWorkflowExecutionResponse['pendingActivities']>[number];

/** A step's last heartbeat, when it is one of a transfer; an older worker's may not parse. */
async function heartbeat(link: Link, pending: Pending): Promise<TransferProgress | null> {
  const details = await decodeArrayFromPayloads(
    link.client.options.loadedDataConverter,
    pending.heartbeatDetails?.payloads,
  );
  const parsed = transferProgress.safeParse(details[0]);
  return parsed.success ? parsed.data : null;
}
