import { migrationInput } from '../domain/migration.ts';
import type { MigrationRequest } from '../domain/migration.ts';
import type { Receipt } from '../domain/receipt.ts';
import { parseInput } from './failures.ts';
import { answerStatus, takeAbort, takeGuestOrders, takeMoveOrders } from './handlers.ts';
import { throughPointOfNoReturn } from './point-of-no-return.ts';
import type { TaskState } from './state.ts';
import { passGate, checkWindow } from './steps/gate.ts';
import { takeSlots } from './steps/admit.ts';
import { carry, handOver } from './steps/move.ts';
import { openRun } from './steps/open.ts';
import { writeReceipt } from './steps/receipt.ts';
import { cede, probeThere, startThere } from './steps/start.ts';
import { quiet } from './steps/quiet.ts';
import { createTask } from './task.ts';

/**
 * Moves one VM. Until the source's record says that the deed is ceded, every failure, abort and cancellation leaves the VM
 * at the source as it was; from then on there is only forward. `state` is what an earlier run of the workflow hands over.
 */
export async function migrateVm(request: MigrationRequest, state?: TaskState): Promise<Receipt> {
  const input = parseInput(migrationInput, request);
  const task = createTask({ kind: 'migrate', ...input }, request, state);
  answerStatus(task);
  takeAbort(task);
  takeGuestOrders(task);
  takeMoveOrders(task, input);
  const { from, to, migrationId } = input;
  return throughPointOfNoReturn(task, {
    before: async () => {
      checkWindow(input);
      await openRun(task, input);
      await passGate(task, input);
      await takeSlots(task, input);
      await quiet(task, {
        host: from,
        migrationId,
        ...(input.method === 'live' ? { handOver: () => handOver(task, input) } : {}),
        before: () => {
          checkWindow(input);
        },
      });
      await cede(task, input, await carry(task, input));
    },
    undo: { host: from, migrationId: () => migrationId, passed: ['ceded', 'accepted'], landing: to },
    after: async () => {
      const start = await startThere(task, input);
      const probe = await probeThere(task, input, start.started);
      return writeReceipt(task, input, start, probe);
    },
  });
}
