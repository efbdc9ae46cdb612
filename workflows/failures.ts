import {
  ActivityFailure,
  ApplicationFailure,
  isCancellation,
  TemporalFailure,
  TimeoutFailure,
} from '@temporalio/workflow';
import type { z } from 'zod';
import { hintAmong } from '../domain/error.ts';
import { errorKind, errorTypes, isErrorType } from '../domain/error-types.ts';
import type { ErrorType } from '../domain/error-types.ts';
import type { About, Trouble } from './state.ts';

const kindWords = { migrate: 'move', revert: 'revert', finish: 'finish' } as const;

/** Types that no retry helps; the rest is retried by Temporal for as long as it takes. */
export const finalTypes: ErrorType[] = (Object.keys(errorTypes) as ErrorType[]).filter(
  (type) => errorKind(type).retryable !== true,
);

/** Whether a failure of that type stays one however often the step is tried. */
export function isFinal(type: string): boolean {
  return !isErrorType(type) || finalTypes.includes(type);
}

/** A failure with a type, a line and a hint, as the client turns it into a SealiftError again. */
export function refusal(type: ErrorType, message: string, hint?: string): ApplicationFailure {
  return ApplicationFailure.create({
    type,
    message,
    nonRetryable: true,
    details: [{ hint: hint ?? errorKind(type).hint ?? null }],
  });
}

export function failureOf(trouble: Trouble): ApplicationFailure {
  return ApplicationFailure.create({
    type: trouble.type,
    message: trouble.message,
    nonRetryable: true,
    details: [{ hint: trouble.hint }],
  });
}

/** Parses a workflow's input; a mistake ends the workflow instead of failing its first task for ever. */
export function parseInput<T>(schema: z.ZodType<T>, request: unknown): T {
  const parsed = schema.safeParse(request);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw refusal('bad-usage', `${issue?.path.join('.') ?? 'the input'}: ${issue?.message ?? 'does not fit'}`);
}

/**
 * What a failed step says of the world. An error that is none of Temporal's failures is a defect in the workflow: it is
 * thrown on, so that the workflow's task fails and goes on from there when the defect is mended.
 */
export function troubleOf(error: unknown, what: { vmName: string; kind?: About['kind']; host?: string }): Trouble {
  if (isCancellation(error)) {
    return {
      type: 'cancelled',
      message: `the ${kindWords[what.kind ?? 'migrate']} of ${what.vmName} was aborted`,
      hint: null,
      aborted: true,
    };
  }
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (cause instanceof ApplicationFailure) {
    return { type: cause.type ?? 'internal', message: cause.message, hint: hintAmong(cause.details), aborted: false };
  }
  if (cause instanceof TimeoutFailure) {
    const who = what.host ?? 'the host';
    return { type: 'host-away', message: `${who} did not finish a step in its time`, hint: null, aborted: false };
  }
  if (error instanceof TemporalFailure) return { type: 'internal', message: error.message, hint: null, aborted: false };
  throw error;
}

/** The one failure that means "that host's worker is gone": nobody took the step from the queue in time. */
export function isAway(error: unknown): boolean {
  return (
    error instanceof ActivityFailure &&
    error.cause instanceof TimeoutFailure &&
    error.cause.timeoutType === 'SCHEDULE_TO_START'
  );
}
