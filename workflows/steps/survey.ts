import { CancellationScope } from '@temporalio/workflow';
import { isErrorType } from '../../domain/error-types.ts';
import type { ErrorType } from '../../domain/error-types.ts';
import { crossingDisks } from '../../domain/manifest.ts';
import type { MigrationInput } from '../../domain/migration.ts';
import type { Concern } from '../../domain/survey.ts';
import { refusal, troubleOf } from '../failures.ts';
import { ifReachable, onHost } from '../on-host.ts';
import { joinPlan } from '../plan.ts';
import type { Plan } from '../plan.ts';
import type { Outcomes } from '../state.ts';
import { step } from '../task.ts';
import type { Task } from '../task.ts';
import { askOthers } from './others.ts';

/** Tries of a question that fails: nothing has changed yet, so a person who waits hears of it soon. */
const attempts = 4;

/**
 * Asks both hosts, and the source for the line between them. What can be asked before its turn is: an answer that does not come
 * is asked for again when everything else is known, and waited for then.
 */
export async function survey(task: Task, input: MigrationInput): Promise<Outcomes['survey']> {
  return step(task, 'survey', 'survey', async (note) => {
    const { vmName, vmUuid, from, to, method, pool, migrationId, supersede } = input;
    const about = { vmUuid, to, method, keepMemory: input.keepMemory, migrationId, supersede };
    const [source, card] = await Promise.all([
      onHost(task, from, 'surveySource', { summary: `survey ${vmName} on ${from}`, attempts }, about),
      ifReachable(task, to, 'hostCard', { summary: `ask ${to} where it takes bytes`, attempts: 1 }),
    ]);
    const line = { summary: `measure the line ${from} → ${to}`, attempts };
    const [destination, early] = await Promise.all([
      onHost(
        task,
        to,
        'surveyDestination',
        { summary: `survey ${to} for ${vmName}`, attempts },
        { source, method, pool },
      ),
      card === null
        ? null
        : ifReachable(task, from, 'surveyLink', { ...line, attempts: 1 }, { vmUuid, method, destination: card }),
    ]);
    const link =
      early ?? (await onHost(task, from, 'surveyLink', line, { vmUuid, method, destination: destination.host }));
    const bytes = crossingDisks(source.disks).reduce((sum, disk) => sum + disk.sizeBytes, 0);
    const disks = `${String(source.disks.length)} disk${source.disks.length === 1 ? '' : 's'}`;
    note(`${disks}, ${String(Math.ceil(bytes / 2 ** 20))} MiB, round trip ${link.rttMs.toFixed(1)} ms`);
    return { source, destination, link };
  });
}

/** Refuses the move before anything is changed, or lets it begin. */
export async function decide(task: Task, input: MigrationInput): Promise<Outcomes['plan']> {
  const { source, destination, link } = await survey(task, input);
  return step(task, 'plan', 'plan', async (note) => {
    const others = await askOthers(task, source, destination);
    const plan = joinPlan(input.method, source, destination, link, others);
    task.state.concerns = plan.concerns;
    if (plan.refused) {
      // Its own open run is what the hosts see in the way: a reset or a repeated start must not void it.
      if (!(await hasOpenRun(task))) throw refused(plan);
      note('its run is open already');
    }
    const concerns = plan.concerns.filter((one) => one.severity !== 'note').length;
    note(concerns === 0 ? 'no concerns' : `${String(concerns)} concern${concerns === 1 ? '' : 's'}`);
    return { placement: plan.placement };
  });
}

async function hasOpenRun(task: Task): Promise<boolean> {
  const { from, migrationId, vmName } = task.about;
  try {
    const summary = `ask ${from} for the record of ${vmName}`;
    const record = await onHost(task, from, 'runState', { summary, attempts }, { migrationId });
    return record.run === 'open';
  } catch (error) {
    if (CancellationScope.current().consideredCancelled) throw error;
    troubleOf(error, task.about);
    return false;
  }
}

function refused(plan: Plan): Error {
  const refusals = plan.concerns.filter((one) => one.severity === 'refuses');
  const [first] = refusals;
  const type: ErrorType =
    first !== undefined && refusals.every(({ name }) => name === first.name) && isErrorType(first.name)
      ? first.name
      : 'preflight-refused';
  const reasons = refusals.map((one) => one.text).join('; ');
  return refusal(type, `${plan.vmName} was not moved: ${reasons}`, remedies(refusals));
}

function remedies(refusals: Concern[]): string {
  const known = refusals.map((one) => one.remedy).filter((one) => one !== null);
  return ['nothing was stopped or copied', ...new Set(known)].join('; ');
}
