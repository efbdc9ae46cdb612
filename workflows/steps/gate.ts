import { condition, sleep } from '@temporalio/workflow';
import type { MigrationInput } from '../../domain/migration.ts';
import { refusal } from '../failures.ts';
import { step, waitFor } from '../task.ts';
import type { Task } from '../task.ts';

/** Holds the move before the VM is stopped, when that was asked for: for an approval, or for its window. */
export async function passGate(task: Task, input: MigrationInput): Promise<void> {
  const { cutover, vmName } = input;
  if (cutover === 'now') return;
  await step(task, 'gate', 'gate', async (note) => {
    if (cutover === 'approve') {
      const { orders } = task.state;
      if (orders.approvedBy === null) {
        const lines = [
          `${vmName} waits for approval before it is shut down`,
          `sealift approve ${vmName} lets it go on`,
        ];
        waitFor(task, lines, 'person');
        await condition(() => orders.approvedBy !== null);
        waitFor(task, []);
      }
      note(`approved by ${orders.approvedBy ?? 'nobody'}`);
    } else {
      const leftMs = Date.parse(cutover.notBefore) - Date.now();
      checkWindow(input);
      if (leftMs > 0) {
        waitFor(task, [`${vmName} waits for its cutover window, which begins ${cutover.notBefore}`], 'clock');
        await sleep(leftMs, { summary: 'the cutover window begins' });
        waitFor(task, []);
      }
    }
    return { at: Date.now() };
  });
}

/** @throws 'window-passed' when a window's end is over; asked again right before the VM is stopped. */
export function checkWindow(input: MigrationInput): void {
  const { cutover, vmName } = input;
  if (typeof cutover === 'string' || Date.now() < Date.parse(cutover.notAfter)) return;
  throw refusal(
    'window-passed',
    `the cutover window of ${vmName} ended ${cutover.notAfter}`,
    'move it again with a later window',
  );
}
