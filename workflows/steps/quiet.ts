import { isCancellation } from '@temporalio/workflow';
import { refusal, troubleOf } from '../failures.ts';
import { onHost } from '../on-host.ts';
import { step } from '../task.ts';
import type { Task } from '../task.ts';
import { stopGuest } from './stop.ts';
import type { GuestToStop } from './stop.ts';

/** So often a guest is shut down again that came up before its fence: its host rebooted, or somebody started it. */
const stopRounds = 3;

/** Stops and fences a VM, so that what its disks hold from now on is what is handed over. */
export async function quiet(task: Task, guest: GuestToStop): Promise<void> {
  const { vmName } = task.about;
  const { host, migrationId } = guest;
  for (let round = 1; ; round++) {
    await stopGuest(task, guest);
    try {
      await step(task, 'fence', 'fence', async () => {
        const call = { summary: `fence ${vmName} on ${host}`, answers: ['vm-running' as const] };
        await onHost(task, host, 'fenceVm', call, { migrationId });
        return { at: Date.now() };
      });
      return;
    } catch (error) {
      if (isCancellation(error) || troubleOf(error, { vmName, host }).type !== 'vm-running') throw error;
    }
    if (round === stopRounds) {
      throw refusal(
        'guest-stuck',
        `${vmName} was started again ${String(round)} times after it was shut down on ${host}`,
      );
    }
    delete task.state.outcomes.stop;
  }
}
