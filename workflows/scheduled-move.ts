import { ParentClosePolicy, proxyActivities, startChild, uuid4 } from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { HostActivities } from '../activities/port.ts';
import { hostTaskQueue, migrationWorkflowId } from '../domain/migration.ts';
import type { VmSummary } from '../domain/survey.ts';
import { scheduledMoveInput } from './contract.ts';
import type { ScheduledMoveInput, ScheduledMoveRequest, ScheduledMoveResult } from './contract.ts';
import { failureOf, finalTypes, parseInput, refusal, troubleOf } from './failures.ts';
import { migrateVm } from './migrate.ts';

/** How long the source may be away before a scheduled start is given up: the next one asks again. */
const askMs = 15 * 60_000;

/** What a schedule starts, since Temporal appends a time to the ids of what it starts: it starts the moves under theirs. */
export async function scheduledMove(request: ScheduledMoveRequest): Promise<ScheduledMoveResult> {
  const input = parseInput(scheduledMoveInput, request);
  const result: ScheduledMoveResult = { started: [], skipped: [] };
  const all = await listVms(input);
  const { what } = input;
  const wanted = what === 'evacuation' ? all : all.filter((vm) => vm.vmName === what.vm);
  if (what !== 'evacuation' && wanted.length === 0) throw refusal('unknown-vm', `${input.from} has no VM ${what.vm}`);
  for (const vm of wanted) {
    const reason =
      vm.deed?.state === 'holder' && vm.vmUuid !== null
        ? await startMove(input, vm, vm.vmUuid, result)
        : whyNot(vm, input.from);
    if (reason !== null) result.skipped.push({ vmName: vm.vmName, reason });
  }
  return result;
}

async function listVms(input: ScheduledMoveInput): Promise<VmSummary[]> {
  const { timings } = input.options;
  const host = proxyActivities<HostActivities>({
    taskQueue: hostTaskQueue(input.from),
    summary: `list the VMs of ${input.from}`,
    scheduleToStartTimeout: askMs,
    startToCloseTimeout: askMs,
    heartbeatTimeout: timings.heartbeatMs,
    retry: { initialInterval: timings.retryInitialMs, maximumAttempts: 4, nonRetryableErrorTypes: finalTypes },
  });
  try {
    return await host.listVms();
  } catch (error) {
    throw failureOf(troubleOf(error, { vmName: input.from, host: input.from }));
  }
}

/** Null when it was started, else why not. */
async function startMove(
  input: ScheduledMoveInput,
  vm: VmSummary,
  vmUuid: string,
  result: ScheduledMoveResult,
): Promise<string | null> {
  const { from, options } = input;
  const workflowId = migrationWorkflowId(vmUuid);
  try {
    await startChild(migrateVm, {
      workflowId,
      args: [{ ...options, migrationId: uuid4(), vmUuid, vmName: vm.vmName, from }],
      parentClosePolicy: ParentClosePolicy.ABANDON,
      staticSummary: `${vm.vmName}: ${from} → ${options.to} · ${options.method}`,
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    return 'it is migrating already';
  }
  result.started.push({ vmName: vm.vmName, workflowId });
  return null;
}

function whyNot(vm: VmSummary, host: string): string {
  if (vm.problem !== null) return vm.problem;
  if (vm.vmUuid === null) return 'its configuration has no uuid';
  if (vm.deed === null) return `it is not adopted on ${host}`;
  return `${host} does not hold its deed: ${vm.deed.state}`;
}
