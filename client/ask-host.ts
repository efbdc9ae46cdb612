import { randomUUID } from 'node:crypto';
import { isSealiftError, SealiftError } from '../domain/error.ts';
import { hostTaskQueue } from '../domain/migration.ts';
import type { HostActivities } from '../activities/port.ts';
import { hostWorkflowId } from '../workflows/contract.ts';
import { asSealift } from './errors.ts';
import type { Link } from './link.ts';

type Question =
  | 'hostCard'
  | 'listVms'
  | 'inspectVm'
  | 'seeVm'
  | 'adoptVm'
  | 'listGarbage'
  | 'removeGarbage'
  | 'findReceipts'
  | 'surveySource'
  | 'surveyDestination'
  | 'surveyLink'
  | 'abortRun'
  | 'closeLanding'
  | 'checkHold'
  | 'runState'
  | 'deedReport'
  | 'exchangeClaims';
type Answer<Name extends Question> = Awaited<ReturnType<HostActivities[Name]>>;

/** A question's whole time, queue included, in milliseconds: a survey reads a VM's disks' sizes, not their bytes. */
const answerMs = 120_000;
/** A worker that has taken a question beats while it works on it: without a beat for so long, it is gone. */
const heartbeatMs = 15_000;

/**
 * Asks a host's worker one question as a standalone activity: no workflow, one try.
 * @throws 'host-away' when nobody picks it up in time or its worker dies over it, 'unknown-host' when no such host ever registered, or the host's own error.
 */
export async function askHost<Name extends Question>(
  link: Link,
  host: string,
  question: Name,
  ...ask: Parameters<HostActivities[Name]>
): Promise<Answer<Name>> {
  try {
    return await asSealift({ address: link.address, host }, () =>
      link.client.activity.execute<Answer<Name>>(question, {
        id: `ask/${host}/${question}/${randomUUID()}`,
        taskQueue: hostTaskQueue(host),
        args: ask,
        scheduleToStartTimeout: link.hostMs,
        scheduleToCloseTimeout: answerMs,
        heartbeatTimeout: heartbeatMs,
        retry: { maximumAttempts: 1 },
        summary: `${question} on ${host}`,
      }),
    );
  } catch (error) {
    if (isSealiftError(error) && error.type === 'host-away' && !(await isRegistered(link, host))) {
      throw new SealiftError('unknown-host', `no host named ${host} has ever registered`, {
        hint: 'the names are listed by: sealift host list',
        cause: error,
      });
    }
    throw error;
  }
}

/** Asks all hosts the same; those that are away are named instead of failing the whole. */
export async function askAll<T>(
  hosts: string[],
  ask: (host: string) => Promise<T>,
): Promise<{ answers: { host: string; answer: T }[]; away: string[] }> {
  const answers: { host: string; answer: T }[] = [];
  const away: string[] = [];
  await Promise.all(
    hosts.map(async (host) => {
      try {
        answers.push({ host, answer: await ask(host) });
      } catch (error) {
        if (!isSealiftError(error) || (error.type !== 'host-away' && error.type !== 'unknown-host')) throw error;
        away.push(host);
      }
    }),
  );
  const order = (host: string): number => hosts.indexOf(host);
  answers.sort((a, b) => order(a.host) - order(b.host));
  away.sort((a, b) => order(a) - order(b));
  return { answers, away };
}

async function isRegistered(link: Link, host: string): Promise<boolean> {
  const workflowId = hostWorkflowId(host);
  try {
    await asSealift({ address: link.address, workflowId }, () => link.client.workflow.getHandle(workflowId).describe());
    return true;
  } catch (error) {
    if (isSealiftError(error) && error.type === 'unknown-run') return false;
    throw error;
  }
}
