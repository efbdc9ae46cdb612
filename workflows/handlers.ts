import { condition, setHandler } from '@temporalio/workflow';
import type { MigrationInput } from '../domain/migration.ts';
import type { AbortAnswer } from './contract.ts';
import { failureOf, refusal, troubleOf } from './failures.ts';
import {
  abortUpdate,
  approveUpdate,
  destroyUpdate,
  leaveUpdate,
  pauseUpdate,
  resumeUpdate,
  statusQuery,
  throttleUpdate,
  waitUpdate,
} from './messages.ts';
import { activity } from './on-host.ts';
import { statusOf } from './status.ts';
import { show } from './task.ts';
import type { Task } from './task.ts';

/** Answers the query that every task has. */
export function answerStatus(task: Task): void {
  setHandler(statusQuery, () => statusOf(task.about, task.state), {
    description: 'where it stands and what it waits for',
  });
}

/** Takes the updates about a guest that must stop: `wait` and `destroy`. */
export function takeGuestOrders(task: Task): void {
  const { about, state } = task;
  const stuck = (): void => {
    if (state.stuck?.decision !== null) throw refusal('bad-usage', `${about.vmName} is not waiting to be shut down`);
  };
  setHandler(
    waitUpdate,
    (minutes) => {
      if (state.stuck !== null) state.stuck.decision = { waitMs: minutes * 60_000 };
      return undefined;
    },
    {
      description: 'gives a guest that does not shut down more time; takes minutes',
      validator: (minutes) => {
        if (!(typeof minutes === 'number' && minutes > 0 && minutes <= 10_080)) {
          throw refusal('bad-usage', `${String(minutes)} is not a number of minutes up to a week`);
        }
        stuck();
      },
    },
  );
  setHandler(
    destroyUpdate,
    (_typedName, by) => {
      if (state.stuck !== null) state.stuck.decision = { destroyedBy: by };
      return undefined;
    },
    {
      description: "pulls the plug of a guest that does not shut down; takes the VM's name, typed",
      validator: (typedName, by: unknown) => {
        if (typeof by !== 'string' || by === '' || by.length > 200)
          throw refusal('bad-usage', 'an order to destroy names who gives it');
        if (typedName !== about.vmName) {
          throw refusal(
            'confirmation-mismatch',
            `${JSON.stringify(typedName)} is not the name of the VM ${about.vmName}`,
          );
        }
        stuck();
      },
    },
  );
}

/** Takes the update `abort`, which every task has. */
export function takeAbort(task: Task): void {
  setHandler(abortUpdate, () => abort(task), {
    description: 'ends it before the deed leaves its host; the VM is as it was',
    validator: () => {
      if (task.state.passed) throw abortRefused(task);
    },
  });
}

/** Takes the updates that only a move has: `pause`, `resume`, `throttle`, `approve` and `leave`. */
export function takeMoveOrders(task: Task, input: MigrationInput): void {
  const { about, state } = task;
  const beforeCede = (): void => {
    if (state.passed) throw refusal('bad-usage', `all bytes of ${about.vmName} have crossed`);
  };
  setHandler(pauseUpdate, () => steer(task, { paused: true }), {
    description: 'holds the bytes; the session stays',
    validator: beforeCede,
  });
  setHandler(resumeUpdate, () => steer(task, { paused: false }), {
    description: 'lets the bytes flow again',
    validator: beforeCede,
  });
  setHandler(throttleUpdate, (limitBytesPerSecond) => steer(task, { limitBytesPerSecond }), {
    description: 'limits the rate; takes bytes per second, null lifts the limit',
    validator: (limit) => {
      if (limit !== null && !(typeof limit === 'number' && limit > 0)) {
        throw refusal('bad-usage', `${String(limit)} is not a rate in bytes per second`);
      }
      beforeCede();
    },
  });
  setHandler(
    approveUpdate,
    ({ by }) => {
      state.orders.approvedBy ??= by;
      show(task);
      return undefined;
    },
    {
      description: 'lets a move that was started with cutover "approve" stop the VM; takes { by }',
      validator: (who: unknown) => {
        if (input.cutover !== 'approve') throw refusal('bad-usage', `the move of ${about.vmName} needs no approval`);
        const by = typeof who === 'object' && who !== null && 'by' in who ? who.by : undefined;
        if (typeof by !== 'string' || by === '' || by.length > 200)
          throw refusal('bad-usage', 'an approval names who gives it');
      },
    },
  );
  setHandler(
    leaveUpdate,
    () => {
      state.left = true;
      return undefined;
    },
    {
      description: 'ends a move whose destination cannot start the VM, so that a revert can begin',
      validator: () => {
        if (!state.passed) throw refusal('bad-usage', `the deed of ${about.vmName} has not been ceded: use abort`);
        if (state.waits.length === 0)
          throw refusal('bad-usage', `the move of ${about.vmName} goes on: nothing to leave`);
      },
    },
  );
}

async function abort(task: Task): Promise<AbortAnswer> {
  const { live } = task;
  live.aborting = true;
  live.scope?.cancel();
  // A step that was done before it heard of the abort may have passed the point of no return: then nothing is undone.
  await condition(() => live.verdict !== null || live.handingOver || task.state.passed);
  if (task.state.passed || live.verdict?.passed === true) throw abortRefused(task);
  if (live.verdict === null) return { outcome: 'under-way', restarted: false };
  return { outcome: 'aborted', restarted: live.verdict.restarted };
}

/** Told to the transfer that runs, and remembered for those to come. */
async function steer(task: Task, order: { paused?: boolean; limitBytesPerSecond?: number | null }): Promise<undefined> {
  const { about, state, live } = task;
  if (live.moving) {
    try {
      const what = order.paused === undefined ? 'throttle' : order.paused ? 'pause' : 'resume';
      const call = { summary: `${what} the transfer of ${about.vmName}`, attempts: 3 };
      await activity(task, about.from, 'steerTransfer', call)({ migrationId: about.migrationId, ...order });
    } catch (error) {
      throw failureOf(troubleOf(error, { ...about, host: about.from }));
    }
  }
  Object.assign(state.orders, order);
  show(task);
  return undefined;
}

function abortRefused(task: Task): Error {
  const { kind, vmName, from, to } = task.about;
  if (kind === 'finish') return refusal('abort-refused', `the finish of ${vmName} is done`);
  const owner = kind === 'migrate' ? `${vmName} belongs to ${to}` : `${vmName} was given back by ${from}`;
  const hint =
    kind === 'migrate'
      ? `bring it back with: sealift revert ${vmName}`
      : `move it again with: sealift migrate ${vmName}`;
  return refusal('abort-refused', owner, hint);
}
