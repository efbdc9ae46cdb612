import { isCancellation, proxyActivities } from '@temporalio/workflow';
import type { HostActivities } from '../../activities/port.ts';
import { hostTaskQueue } from '../../domain/migration.ts';
import type { DestinationSurvey, SourceSurvey } from '../../domain/survey.ts';
import { troubleOf } from '../failures.ts';
import type { Other } from '../plan.ts';
import type { Task } from '../task.ts';

/** A host that takes no part in the move does not hold it up: it answers in this time or counts as away. */
const answerMs = 5_000;

/** Asks every other host that one of the two trusts whether it has the VM. */
export async function askOthers(
  task: Task,
  source: SourceSurvey,
  destination: Pick<DestinationSurvey, 'host'>,
): Promise<Other[]> {
  const { vmName, vmUuid, from, to, timings } = task.about;
  const trusted = new Set([...source.host.peers, ...destination.host.peers]);
  const hosts = [...trusted].filter((name) => name !== from && name !== to).sort();
  return Promise.all(
    hosts.map(async (host): Promise<Other> => {
      const steps = proxyActivities<HostActivities>({
        taskQueue: hostTaskQueue(host),
        summary: `ask ${host} whether it has ${vmName}`,
        scheduleToStartTimeout: Math.min(answerMs, timings.pickUpMs),
        scheduleToCloseTimeout: answerMs * 2,
        retry: { maximumAttempts: 1 },
      });
      try {
        return { host, vm: await steps.seeVm({ vmUuid }) };
      } catch (error) {
        if (isCancellation(error)) throw error;
        troubleOf(error, { vmName, host });
        return { host, vm: 'away' };
      }
    }),
  );
}
