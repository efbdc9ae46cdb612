import {
  allHandlersFinished,
  type CancellationScope,
  condition,
  makeContinueAsNewFunc,
  setCurrentDetails,
  sleep,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { SearchAttributeUpdatePair } from '@temporalio/common';
import type { Phase } from '../domain/progress.ts';
import { searchKeys } from './search-attributes.ts';
import { newState } from './state.ts';
import type { About, Outcomes, TaskState, WaitKind } from './state.ts';
import { renderDetails, shownPhase } from './status.ts';

/** A task and what one run of its workflow holds beside its state. */
export interface Task {
  readonly about: About;
  readonly state: TaskState;
  readonly live: {
    /** Steps before the point of no return run in it; an abort cancels it. */
    scope: CancellationScope | null;
    aborting: boolean;
    /** How an abort ended, by the host's record. */
    verdict: { passed: boolean; restarted: boolean } | null;
    /** This run is about to continue as new: handlers that wait must end. */
    handingOver: boolean;
    /** Bytes are crossing, so that steering reaches a job. */
    moving: boolean;
    /** Rounds of waiting in this run. */
    rounds: number;
  };
  /** Starts the workflow's next run with the state. */
  readonly goOn: (state: TaskState) => Promise<never>;
}

/** Rounds of waiting after which a run continues as new even when the server does not suggest it. */
const maximumRounds = 300;

/** Makes the task of this run, with the state that an earlier run left. */
export function createTask(about: About, request: unknown, known: TaskState | undefined): Task {
  const next = makeContinueAsNewFunc<(request: unknown, state: TaskState) => Promise<unknown>>();
  const task: Task = {
    about,
    state: known ?? newState(Date.now()),
    live: { scope: null, aborting: false, verdict: null, handingOver: false, moving: false, rounds: 0 },
    goOn: (state) => next(request, state),
  };
  if (known === undefined) {
    upsertSearchAttributes([
      { key: searchKeys.vm, value: about.vmName },
      { key: searchKeys.source, value: about.from },
      { key: searchKeys.destination, value: about.to },
      { key: searchKeys.method, value: about.method },
      { key: searchKeys.phase, value: 'survey' },
    ]);
    task.state.shown.phase = 'survey';
  }
  show(task);
  return task;
}

/** Runs a step in its phase, unless an earlier run of the workflow has its outcome. */
export async function step<Name extends keyof Outcomes>(
  task: Task,
  name: Name,
  phase: Phase,
  act: (note: (text: string) => void) => Promise<Outcomes[Name]>,
): Promise<Outcomes[Name]> {
  const known = task.state.outcomes[name];
  if (known !== undefined) return known;
  enter(task, phase);
  let text = '';
  const outcome = await act((note) => (text = note));
  task.state.outcomes[name] = outcome;
  leave(task, text);
  return outcome;
}

/** Begins a phase, or goes on in it. The one before it is done, if its last step has ended. */
export function enter(task: Task, phase: Phase): void {
  const { state } = task;
  if (state.phase !== phase) {
    if (state.phaseEnded !== null) {
      const at = new Date(state.phaseSince).toISOString();
      const ms = state.phaseEnded - state.phaseSince;
      state.done.push({ phase: state.phase, at, ms, note: state.notes.join(', ') });
    }
    state.phase = phase;
    state.phaseSince = Date.now();
    state.notes = [];
  }
  state.phaseEnded = null;
  show(task);
}

/** Ends a step of the present phase; others of the same phase may follow. */
export function leave(task: Task, note = ''): void {
  task.state.phaseEnded = Date.now();
  if (note !== '') task.state.notes.push(note);
}

/** Says what the task waits for and how that ends; an empty list ends the wait. */
export function waitFor(task: Task, lines: string[], kind: WaitKind = 'itself'): void {
  if (lines.length === 0 && task.state.waits.length === 0) return;
  task.state.waits = lines;
  task.state.waitKind = kind;
  show(task);
}

/** One pause of a wait. Long waits continue as new here, where nothing is in flight. */
export async function pauseFor(task: Task, ms: number, summary: string, until?: () => boolean): Promise<void> {
  if (until === undefined) await sleep(ms, { summary });
  else await condition(until, ms, { summary });
  task.live.rounds++;
  if (!workflowInfo().continueAsNewSuggested && task.live.rounds < maximumRounds) return;
  task.live.handingOver = true;
  await condition(allHandlersFinished);
  await task.goOn(task.state);
}

/** Writes what people see: current details always (free), search attributes on a few changes of phase (an event each). */
export function show(task: Task): void {
  setCurrentDetails(renderDetails(task.about, task.state));
  const { state } = task;
  const phase = shownPhase(state);
  const changes: SearchAttributeUpdatePair[] = [];
  if (phase !== state.shown.phase && (listed.has(phase) || state.shown.phase === 'waits')) {
    changes.push({ key: searchKeys.phase, value: phase });
    state.shown.phase = phase;
    if (state.token !== state.shown.token) {
      changes.push({ key: searchKeys.token, value: state.token });
      state.shown.token = state.token;
    }
  }
  if (changes.length > 0) upsertSearchAttributes(changes);
}

const listed: ReadonlySet<Phase> = new Set(['stop', 'move', 'start', 'waits', 'undo', 'done', 'aborted', 'failed']);
