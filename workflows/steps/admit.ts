import type { MigrationInput } from '../../domain/migration.ts';
import { onHost } from '../on-host.ts';
import { step } from '../task.ts';
import type { Task } from '../task.ts';
import { checkWindow } from './gate.ts';

/**
 * Has both hosts look once more, and takes a slot of each, before the VM is stopped: a move that has to wait for another one
 * waits with its VM running. In one order everywhere, so that two moves in opposite directions never wait for each other.
 */
export async function takeSlots(task: Task, input: MigrationInput): Promise<void> {
  const { vmName, from, to, migrationId } = input;
  await step(task, 'admit', 'stop', async () => {
    for (const host of [from, to].sort()) {
      const before = (): void => {
        checkWindow(input);
      };
      const call = { summary: `take a slot for ${vmName} on ${host}`, quietTries: 1, before };
      await onHost(task, host, 'admitRun', call, { migrationId });
    }
    return { at: Date.now() };
  });
}
