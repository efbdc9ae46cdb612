import { ActivityCancellationType, isCancellation, proxyActivities } from '@temporalio/workflow';
import type { HostActivities } from '../activities/port.ts';
import { hostTaskQueue } from '../domain/migration.ts';
import { finalTypes, isAway, refusal, troubleOf } from './failures.ts';
import type { Trouble } from './state.ts';
import { pauseFor, waitFor } from './task.ts';
import type { Task } from './task.ts';

export type StepName = keyof HostActivities;
export type Ask<Name extends StepName> = Parameters<HostActivities[Name]>;
export type Answer<Name extends StepName> = Awaited<ReturnType<HostActivities[Name]>>;

export interface Call {
  /** In the words of the Web UI: `shut down web-1 on lon-1`. */
  summary: string;
  /** Tries of a failing step; without it, retryable failures are retried for as long as it takes. */
  attempts?: number;
  /** Runs before each time the step is put into the host's queue; may refuse. */
  before?: () => void;
}

/** Transfers and read-backs last as long as the disks are large; a lost worker is noticed by its heartbeats, not by this. */
const stepMs = 30 * 24 * 3_600_000;

/**
 * Runs one step on a host. A host whose worker is away is waited for and reported: the step is withdrawn after
 * `timings.pickUpMs`, a harmless question takes its place, and only when that is answered is the step given again. So a host
 * that comes back late finds nothing in its queue that still acts.
 * @throws the step's failure, when it is one that no retry helps.
 */
export async function onHost<Name extends StepName>(
  task: Task,
  host: string,
  name: Name,
  call: Call,
  ...ask: Ask<Name>
): Promise<Answer<Name>> {
  for (;;) {
    try {
      call.before?.();
      const answer = await activity(task, host, name, call)(...ask);
      waitFor(task, []);
      return answer;
    } catch (error) {
      if (!isAway(error)) throw error;
    }
    await untilBack(task, host);
  }
}

/**
 * The same for steps that must end well: forward after the cede, and compensation. Every other failure becomes a wait that names it.
 * `known` may take a failure as an answer.
 */
export async function untilDone<Name extends StepName, const Other = never>(
  task: Task,
  host: string,
  name: Name,
  call: Call & { known?: (trouble: Trouble) => Other | undefined },
  ...ask: Ask<Name>
): Promise<Answer<Name> | Other> {
  const { awayPauseMs } = task.about.timings;
  for (let pauseMs = awayPauseMs; ; pauseMs = Math.min(pauseMs * 2, awayPauseMs * 20)) {
    let trouble: Trouble;
    try {
      return await onHost(task, host, name, call, ...ask);
    } catch (error) {
      if (isCancellation(error)) throw error;
      trouble = troubleOf(error, { vmName: task.about.vmName, host });
    }
    const other = call.known?.(trouble);
    if (other !== undefined) return other;
    waitFor(task, troubleLines(task, host, call.summary, trouble));
    await pauseFor(task, pauseMs, `${host} could not ${call.summary}`, () => task.state.left);
    if (task.state.left) throw leftBehind(task);
  }
}

/** One try without waiting for an absent host, for what is only good to have; null when it failed. */
export async function ifReachable<Name extends StepName>(
  task: Task,
  host: string,
  name: Name,
  call: Call,
  ...ask: Ask<Name>
): Promise<Answer<Name> | null> {
  try {
    return await activity(task, host, name, { ...call, attempts: call.attempts ?? 2 })(...ask);
  } catch (error) {
    if (isCancellation(error)) throw error;
    troubleOf(error, { vmName: task.about.vmName, host });
    return null;
  }
}

/** One activity with all its limits; the caller sees its failure as Temporal gives it. */
export function activity<Name extends StepName>(
  task: Task,
  host: string,
  name: Name,
  call: Pick<Call, 'summary' | 'attempts'>,
): (...ask: Ask<Name>) => Promise<Answer<Name>> {
  const { timings } = task.about;
  const steps = proxyActivities<HostActivities>({
    taskQueue: hostTaskQueue(host),
    summary: call.summary,
    scheduleToStartTimeout: timings.pickUpMs,
    startToCloseTimeout: stepMs,
    heartbeatTimeout: timings.heartbeatMs,
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry: {
      initialInterval: timings.retryInitialMs,
      maximumInterval: timings.retryMaximumMs,
      nonRetryableErrorTypes: finalTypes,
      ...(call.attempts === undefined ? {} : { maximumAttempts: call.attempts }),
    },
  });
  return steps[name] as unknown as (...ask: Ask<Name>) => Promise<Answer<Name>>;
}

async function untilBack(task: Task, host: string): Promise<void> {
  const { awayPauseMs } = task.about.timings;
  waitFor(task, [
    `${host} is away: its worker does not poll the task queue ${hostTaskQueue(host)}`,
    `start it on ${host} (sealift up); the migration goes on by itself when it is back`,
  ]);
  for (let pauseMs = awayPauseMs; ; pauseMs = Math.min(pauseMs * 2, awayPauseMs * 20)) {
    try {
      await activity(task, host, 'hostCard', { summary: `is ${host} back?`, attempts: 1 })();
      break;
    } catch (error) {
      if (isCancellation(error)) throw error;
      if (!isAway(error)) break;
    }
    await pauseFor(task, pauseMs, `${host} is away`, () => task.state.left);
    if (task.state.left) throw leftBehind(task);
  }
  waitFor(task, []);
}

function troubleLines(task: Task, host: string, summary: string, trouble: Trouble): string[] {
  const { vmName } = task.about;
  const lines = [`${host} could not ${summary}: ${trouble.message} [${trouble.type}]`];
  if (trouble.hint !== null) lines.push(trouble.hint);
  lines.push('it is tried again by itself');
  if (task.state.passed && task.about.kind === 'migrate') {
    lines.push(`${vmName} belongs to ${task.about.to}: sealift revert ${vmName} brings it back to ${task.about.from}`);
  }
  return lines;
}

function leftBehind(task: Task): Error {
  const { vmName, to } = task.about;
  return refusal('left', `${vmName} belongs to ${to}; the migration was ended there before the VM ran`);
}
