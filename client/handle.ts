import type { WorkflowHandle } from '@temporalio/client';
import { isSealiftError, SealiftError } from '../domain/error.ts';
import { migrationWorkflowId } from '../domain/migration.ts';
import { vmUuid } from '../domain/names.ts';
import type { Receipt } from '../domain/receipt.ts';
import type { UpdateName, Updates } from '../workflows/contract.ts';
import { abortMove, findLeftRun } from './abort.ts';
import { afterTheEnd } from './ended.ts';
import { asSealift } from './errors.ts';
import { listMoves } from './list.ts';
import type { Link } from './link.ts';
import { readStatus, watchMove } from './progress.ts';
import type { MoveHandle, TaskHandle } from './types.ts';
import { isNamed, listVms } from './vms.ts';

/** An order that no control worker takes in this time is not waited for. */
const takenMs = 20_000;

/** The handle of a VM's move, revert or finish. `runId` names one of several under the same workflow id. */
export function taskHandle<Result>(link: Link, uuid: string, runId?: string): TaskHandle<Result> {
  const workflowId = migrationWorkflowId(uuid);
  // Steering goes to whatever is open now; only the result is of the run that was started, and of those it continues as.
  const handle = link.client.workflow.getHandle(workflowId);
  const started = link.client.workflow.getHandle(workflowId, runId);
  const update = updater(link, handle);
  return {
    workflowId,
    vmUuid: uuid,
    status: () => readStatus(link, handle),
    progress: (options) => watchMove(link, handle, options),
    abort: () => abortMove(link, uuid, () => update('abort')),
    wait: (minutes) => update('wait', minutes),
    destroy: (typedName, by) => update('destroy', typedName, by),
    result: () => asSealift({ address: link.address, workflowId }, async () => (await started.result()) as Result),
  };
}

export function moveHandle(link: Link, uuid: string, runId?: string): MoveHandle {
  const task = taskHandle<Receipt>(link, uuid, runId);
  const update = updater(link, link.client.workflow.getHandle(task.workflowId));
  return {
    ...task,
    pause: () => update('pause'),
    resume: () => update('resume'),
    throttle: (bytesPerSecond) => update('throttle', bytesPerSecond),
    approve: (who) => update('approve', who),
    leave: () => update('leave'),
  };
}

/**
 * The newest migration of a VM by name or uuid; the name is looked up in Temporal first, then at the hosts.
 * @throws 'unknown-run' when there never was one.
 */
export async function findMove(link: Link, vm: string): Promise<MoveHandle> {
  const uuid = vmUuid.safeParse(vm);
  if (uuid.success) {
    const workflowId = migrationWorkflowId(uuid.data);
    try {
      const handle = link.client.workflow.getHandle(workflowId);
      await asSealift({ address: link.address, workflowId }, () => handle.describe());
    } catch (error) {
      // A run that a host has open outlives its workflow, and Temporal's database: `abort` goes to the host then.
      const unknown = isSealiftError(error) && error.type === 'unknown-run';
      if (!unknown || (await findLeftRun(link, uuid.data)) === null) throw error;
    }
    return moveHandle(link, uuid.data);
  }
  const [newest] = await listMoves(link, { vm, limit: 1 });
  if (newest !== undefined) return moveHandle(link, newest.vmUuid);
  const named = (await listVms(link)).vms.filter((one) => isNamed(one, vm) && one.vmUuid !== null);
  const known = named.find(({ deed }) => deed?.state === 'holder') ?? named[0];
  if (known === undefined || known.vmUuid === null)
    throw new SealiftError('unknown-run', `there is no migration of ${vm}`);
  return findMove(link, known.vmUuid);
}

function updater(link: Link, handle: WorkflowHandle) {
  return async <Name extends UpdateName>(
    name: Name,
    ...args: Updates[Name]['ask']
  ): Promise<Updates[Name]['answer']> => {
    try {
      return await asSealift({ address: link.address, workflowId: handle.workflowId }, async () => {
        const [first, ...rest] = args;
        // Temporal waits for a control worker without end; what an order does once it is taken may last.
        const taken = await link.client.withDeadline(Date.now() + takenMs, () =>
          first === undefined
            ? handle.startUpdate<Updates[Name]['answer'], []>(name, { waitForStage: 'ACCEPTED' })
            : handle.startUpdate<Updates[Name]['answer'], [unknown, ...unknown[]]>(name, {
                args: [first, ...rest],
                waitForStage: 'ACCEPTED',
              }),
        );
        return taken.result();
      });
    } catch (error) {
      throw await afterTheEnd(handle, name, error);
    }
  };
}
