import type { MigrationInput } from '../../domain/migration.ts';
import { refusal } from '../failures.ts';
import { onHost } from '../on-host.ts';
import { step } from '../task.ts';
import type { Task } from '../task.ts';
import { decide, survey } from './survey.ts';

/** Opens the run at the source and receives it at the destination; both know it by the migration's id. */
export async function openRun(task: Task, input: MigrationInput): Promise<void> {
  const { vmName, vmUuid, migrationId, method, from, to, supersede } = input;
  const { placement } = await decide(task, input);
  const { source } = await survey(task, input);
  task.state.opening = true;
  const { offer } = await step(task, 'open', 'open', async (note) => {
    const opened = await onHost(
      task,
      from,
      'openRun',
      { summary: `open the run of ${vmName} on ${from}` },
      { input: { migrationId, vmUuid, vmName, method, keepMemory: input.keepMemory }, to, supersede },
    );
    if (opened.run !== 'open') {
      throw refusal('run-closed', `the run of ${vmName} is not open on ${from}: it is ${opened.run}`);
    }
    const { lineage, token } = opened.offer.body;
    Object.assign(task.state, { lineage, token });
    note(`run ${String(token)}`);
    return { offer: opened.offer };
  });
  await step(task, 'receive', 'open', async () => {
    const summary = `make room for ${vmName} on ${to}`;
    const memoryBytes = source.state === 'stopped' ? 0 : source.memoryBytes;
    const ask = { offer, placement, disks: source.disks, memoryBytes, from };
    return onHost(task, to, 'receiveRun', { summary }, ask);
  });
}
