import { isCancellation } from '@temporalio/workflow';
import type { MigrationInput } from '../../domain/migration.ts';
import { refusal, troubleOf } from '../failures.ts';
import { onHost } from '../on-host.ts';
import { step } from '../task.ts';
import type { Task } from '../task.ts';
import { checkWindow } from './gate.ts';
import { stopGuest } from './stop.ts';

/** So often a source is shut down again that came up before its fence: its host rebooted, or somebody started it. */
const stopRounds = 3;

/** Stops and fences the source, so that what is read from now on is what is handed over. */
export async function quietSource(task: Task, input: MigrationInput): Promise<void> {
  const { vmName, from, migrationId } = input;
  const where = {
    host: from,
    migrationId,
    before: () => {
      checkWindow(input);
    },
  };
  for (let round = 1; ; round++) {
    await stopGuest(task, where);
    try {
      await step(task, 'fence', 'fence', async () => {
        const call = { summary: `fence ${vmName} on ${from}`, answers: ['vm-running' as const] };
        await onHost(task, from, 'fenceVm', call, { migrationId });
        return { at: Date.now() };
      });
      return;
    } catch (error) {
      if (isCancellation(error) || troubleOf(error, { vmName, host: from }).type !== 'vm-running') throw error;
    }
    if (round === stopRounds) {
      throw refusal(
        'guest-stuck',
        `${vmName} was started again ${String(round)} times after it was shut down on ${from}`,
      );
    }
    delete task.state.outcomes.stop;
  }
}
