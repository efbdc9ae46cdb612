import { activityInfo, Context, heartbeat, log } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { z } from 'zod';
import { errorKind } from '../domain/error-types.ts';
import { isSealiftError } from '../domain/error.ts';

/** Messages longer than this are cut: Temporal truncates failures above 4 KiB. */
const messageLimit = 1_000;

/**
 * Makes an activity of a step: parses its input by `schema`, heartbeats while it lasts, and turns what it throws into an
 * ApplicationFailure whose type is an `ErrorType`, decided here once to be retryable or not, with the hint as `details[0].hint`.
 */
export function edge<Schema extends z.ZodType, Result>(
  schema: Schema,
  step: (ask: z.infer<Schema>) => Promise<Result>,
): (ask: z.input<Schema>) => Promise<Result> {
  return reporting(schema, (ask) => beating(step(ask), () => null));
}

/** The same for a step that heartbeats by itself, with its progress as details. */
export function reporting<Schema extends z.ZodType, Result>(
  schema: Schema,
  step: (ask: z.infer<Schema>) => Promise<Result>,
): (ask: z.input<Schema>) => Promise<Result> {
  return async (ask) => {
    const parsed = schema.safeParse(ask);
    if (!parsed.success) {
      throw ApplicationFailure.nonRetryable(z.prettifyError(parsed.error).slice(0, messageLimit), 'bad-usage');
    }
    try {
      return await step(parsed.data);
    } catch (error) {
      throw toFailure(error);
    }
  };
}

/** The same for a question that takes nothing. */
export function question<Result>(step: () => Promise<Result>): () => Promise<Result> {
  return async () => {
    try {
      return await beating(step(), () => null);
    } catch (error) {
      throw toFailure(error);
    }
  };
}

/**
 * Heartbeats `details()` until `work` ends, often enough for the activity's heartbeat time limit. When the activity is cancelled
 * or its worker stops, lets go of `work` at once and throws the cancellation.
 */
export async function beating<Result>(work: Promise<Result>, details: () => unknown): Promise<Result> {
  const limitMs = activityInfo().heartbeatTimeoutMs ?? 15_000;
  const beat = (): void => {
    heartbeat(details());
  };
  beat();
  const timer = setInterval(beat, Math.min(1_000, limitMs / 3));
  try {
    return await Promise.race([work, Context.current().cancelled]);
  } finally {
    beat();
    clearInterval(timer);
  }
}

function toFailure(error: unknown): unknown {
  if (isSealiftError(error)) {
    return ApplicationFailure.create({
      type: error.type,
      message: error.message.slice(0, messageLimit),
      nonRetryable: errorKind(error.type).retryable !== true,
      details: [{ hint: error.hint ?? null }],
    });
  }
  // Temporal's own failures (a cancellation above all) keep their meaning.
  if (!(error instanceof Error) || 'failure' in error || error.name.endsWith('Failure')) return error;
  log.error('a step failed in an unforeseen way', { name: error.name, message: error.message, stack: error.stack });
  return ApplicationFailure.create({
    type: 'internal',
    message: error.message.slice(0, messageLimit),
    nonRetryable: true,
  });
}

/** Whether a step's error only says that the run is not known here. */
export function isUnknownRun(error: unknown): boolean {
  return isSealiftError(error) && error.type === 'unknown-run';
}
