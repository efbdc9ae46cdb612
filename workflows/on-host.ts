import { ActivityCancellationType, isCancellation, proxyActivities } from '@temporalio/workflow';
import type { HostActivities } from '../activities/port.ts';
import { hostTaskQueue } from '../domain/migration.ts';
import type { ErrorType } from '../domain/error-types.ts';
import { finalTypes, isAway, isFinal, refusal, troubleOf } from './failures.ts';
import type { Trouble } from './state.ts';
import { pauseFor, waitFor } from './task.ts';
import type { Task } from './task.ts';

export type StepName = keyof HostActivities;
export type Ask<Name extends StepName> = Parameters<HostActivities[Name]>;
export type Answer<Name extends StepName> = Awaited<ReturnType<HostActivities[Name]>>;

export interface Call {
  /** In the words of the Web UI: `shut down web-1 on lon-1`. */
  summary: string;
  /** Tries of a failing step; without it, retryable failures are retried for as long as it takes, and reported after a minute. */
  attempts?: number;
  /** Tries before a retryable failure is shown as a wait. */
  quietTries?: number;
  /** Retryable failures that are an answer to the caller. */
  answers?: ErrorType[];
  /** Runs before each time the step is put into the host's queue; may refuse. */
  before?: () => void | Promise<void>;
}

/** Somebody else has decided since what becomes of the VM: an operator's claim, or a later run of another control plane. */
const overtaken: ErrorType[] = ['claimed', 'run-closed'];

/** Tries before a failure that lasts is shown to people: with the usual pauses between them, about a minute. */
const usualTries = 7;

/** Transfers and read-backs last as long as the disks are large; a lost worker is noticed by its heartbeats, not by this. */
const stepMs = 30 * 24 * 3_600_000;

/**
 * Runs one step on a host. A host whose worker is away is waited for and reported: the step is withdrawn after
 * `timings.pickUpMs`, a harmless question takes its place, and only when that is answered is the step given again. So a host
 * that comes back late finds nothing in its queue that still acts. A retryable failure that lasts becomes a wait that names it.
 * @throws the step's failure, when it is one that no retry helps, or an answer.
 */
export async function onHost<Name extends StepName>(
  task: Task,
  host: string,
  name: Name,
  call: Call,
  ...ask: Ask<Name>
): Promise<Answer<Name>> {
  return insist(task, host, name, call, ask, ({ type }) => {
    return call.attempts !== undefined || isFinal(type) || call.answers?.some((one) => one === type) === true;
  });
}

/**
 * The same for steps that must end well: forward after the cede, and compensation. Every failure becomes a wait that names it,
 * but those of `overtaken`, which end what was to be done for good. `known` may take a failure as an answer.
 */
export async function untilDone<Name extends StepName, const Other = never>(
  task: Task,
  host: string,
  name: Name,
  call: Call & { known?: (trouble: Trouble) => Other | undefined },
  ...ask: Ask<Name>
): Promise<Answer<Name> | Other> {
  const found: { other?: Other | undefined } = {};
  try {
    return await insist(task, host, name, call, ask, (trouble) => {
      found.other = call.known?.(trouble);
      return found.other !== undefined || overtaken.some((type) => type === trouble.type);
    });
  } catch (error) {
    if (found.other === undefined) throw error;
    return found.other;
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
  call: Pick<Call, 'summary' | 'attempts' | 'answers'>,
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
      nonRetryableErrorTypes: [...finalTypes, ...(call.answers ?? [])],
      ...(call.attempts === undefined ? {} : { maximumAttempts: call.attempts }),
    },
  });
  return steps[name] as unknown as (...ask: Ask<Name>) => Promise<Answer<Name>>;
}

/** Gives the step to its host again and again, until it succeeds or `ends` with a failure; what lasts is shown as a wait. */
async function insist<Name extends StepName>(
  task: Task,
  host: string,
  name: Name,
  call: Call,
  ask: Ask<Name>,
  ends: (trouble: Trouble) => boolean,
): Promise<Answer<Name>> {
  const { awayPauseMs } = task.about.timings;
  let attempts = call.attempts ?? call.quietTries ?? usualTries;
  for (let pauseMs = awayPauseMs; ; pauseMs = Math.min(pauseMs * 2, awayPauseMs * 20)) {
    const trouble = await oneRound(task, host, name, { ...call, attempts }, ask, ends);
    if ('answer' in trouble) return trouble.answer;
    waitFor(task, troubleLines(task, host, call.summary, trouble), trouble.type === 'host-busy' ? 'clock' : 'itself');
    await pauseFor(task, pauseMs, `${host} could not ${call.summary}`, () => task.state.left);
    if (task.state.left) throw leftBehind(task);
    attempts = 1;
    // A transfer may run for hours now.
    if (!task.state.passed) waitFor(task, []);
  }
}

/** Until the step ends at a host that is there. */
async function oneRound<Name extends StepName>(
  task: Task,
  host: string,
  name: Name,
  call: Call,
  ask: Ask<Name>,
  ends: (trouble: Trouble) => boolean,
): Promise<{ answer: Answer<Name> } | Trouble> {
  for (;;) {
    try {
      const before = call.before?.();
      // No await where there is nothing to wait for: histories know the order of steps that are given together.
      if (before !== undefined) await before;
      const answer = await activity(task, host, name, call)(...ask);
      waitFor(task, []);
      return { answer };
    } catch (error) {
      if (isCancellation(error)) throw error;
      if (!isAway(error)) {
        const trouble = troubleOf(error, { vmName: task.about.vmName, host });
        if (ends(trouble)) throw error;
        return trouble;
      }
    }
    await untilBack(task, host);
  }
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
  const { passed, undoing } = task.state;
  if (!passed && undoing === null) lines.push(`sealift abort ${vmName} leaves it on ${task.about.from}`);
  if (passed && task.about.kind === 'migrate') {
    lines.push(`${vmName} belongs to ${task.about.to}: sealift revert ${vmName} brings it back to ${task.about.from}`);
  }
  return lines;
}

function leftBehind(task: Task): Error {
  const { vmName, to } = task.about;
  return refusal('left', `${vmName} belongs to ${to}; the migration was ended there before the VM ran`);
}
