import {
  allHandlersFinished,
  CancellationScope,
  condition,
  ContinueAsNew,
  TemporalFailure,
} from '@temporalio/workflow';
import type { RunState } from '../activities/port.ts';
import { failureOf, troubleOf } from './failures.ts';
import { ifReachable, untilDone } from './on-host.ts';
import type { Trouble } from './state.ts';
import { enter, leave, show, waitFor } from './task.ts';
import type { Task } from './task.ts';

/** Whose record decides whether the deed has left, and how it says so. */
export interface Undo {
  host: string;
  /** Null while no run can have been opened. */
  migrationId: () => string | null;
  /** Run states in the host's record that mean: forward only. */
  passed: RunState['run'][];
  /** Keeps a landing that is to be closed. */
  landing: string | null;
}

/**
 * Runs `before` so that it can be aborted, cancelled and compensated; once the host's record says that the deed has left it,
 * runs `after`, which nothing stops. The record is asked before every compensation: what this workflow remembers decides nothing.
 */
export async function throughPointOfNoReturn<Result>(
  task: Task,
  parts: { before: () => Promise<void>; undo: Undo; after: () => Promise<Result> },
): Promise<Result> {
  const { state } = task;
  if (!state.passed) {
    const trouble = state.undoing ?? (await attempt(task, parts.before));
    if (trouble !== null) {
      state.undoing = trouble;
      const undone = await CancellationScope.nonCancellable(() => undo(task, parts.undo));
      if (undone) throw await ended(task, trouble);
      state.undoing = null;
    }
    state.passed = true;
  }
  return CancellationScope.nonCancellable(async () => {
    try {
      const result = await parts.after();
      enter(task, 'done');
      await condition(allHandlersFinished);
      return result;
    } catch (error) {
      if (error instanceof ContinueAsNew || !(error instanceof TemporalFailure)) throw error;
      throw await ended(task, troubleOf(error, task.about));
    }
  });
}

/** Null when `before` came to its end. */
async function attempt(task: Task, before: () => Promise<void>): Promise<Trouble | null> {
  try {
    await CancellationScope.cancellable(async () => {
      task.live.scope = CancellationScope.current();
      // An abort may have come before this run's first step, or while the last run handed over.
      if (task.live.aborting) task.live.scope.cancel();
      await before();
    });
    return null;
  } catch (error) {
    if (error instanceof ContinueAsNew) throw error;
    return troubleOf(error, task.about);
  } finally {
    task.live.scope = null;
    task.live.moving = false;
    task.state.stuck = null;
  }
}

/** Brings the host back to what it was, unless its record says that the deed has left it. */
async function undo(task: Task, how: Undo): Promise<boolean> {
  const { about, live } = task;
  waitFor(task, []);
  const migrationId = how.migrationId();
  if (migrationId === null) {
    live.verdict = { passed: false, restarted: false };
    return true;
  }
  enter(task, 'undo');
  const record = await untilDone(
    task,
    how.host,
    'runState',
    {
      summary: `ask ${how.host} for the record of ${about.vmName}`,
      known: ({ type }) => (type === 'unknown-run' || type === 'unknown-vm' ? 'none' : undefined),
    },
    { migrationId },
  );
  let passed = record !== 'none' && how.passed.includes(record.run);
  let restarted = false;
  if (!passed && isToAbort(task, record)) {
    const after = await untilDone(
      task,
      how.host,
      'abortRun',
      {
        summary: `leave ${about.vmName} on ${how.host} as it was`,
        known: ({ type }) => (type === 'abort-refused' ? 'ceded' : isNotOurs.has(type) ? 'none' : undefined),
      },
      { migrationId },
    );
    passed = after === 'ceded' || (after !== 'none' && how.passed.includes(after.run));
    restarted = typeof after === 'object' && after.restarted;
    if (!passed && how.landing !== null) {
      const summary = `close the landing of ${about.vmName} on ${how.landing}`;
      await ifReachable(task, how.landing, 'closeLanding', { summary }, { migrationId });
    }
  }
  live.verdict = { passed, restarted };
  leave(task, undoNote(task, how.host, passed, restarted));
  return !passed;
}

/** What is there is no run's of this task: none was opened, or somebody has opened another one since. */
const isNotOurs: ReadonlySet<string> = new Set(['unknown-run', 'run-closed']);

/** A run that came back is over: the VM is the host's own again, in whatever state people want it. */
function isToAbort(task: Task, record: RunState | 'none'): boolean {
  // An order to open may still be on its way to a host that knows nothing yet: the abort withdraws it for good.
  return record === 'none' ? task.state.opening : record.run !== 'returned';
}

function undoNote(task: Task, host: string, passed: boolean, restarted: boolean): string {
  if (passed) return `${host} has handed the deed over: it goes on`;
  return restarted ? `${task.about.vmName} runs on ${host} again` : `${host} is as it was`;
}

/** The failure that a task ends with, after everybody who waits for an answer has it. */
async function ended(task: Task, trouble: Trouble): Promise<Error> {
  task.state.trouble = trouble;
  enter(task, trouble.aborted ? 'aborted' : 'failed');
  show(task);
  await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
  return failureOf(trouble);
}
