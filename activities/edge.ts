import { activityInfo, Context, heartbeat, log } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { z } from 'zod';
import { errorKind } from '../domain/error-types.ts';
import { isSealiftError } from '../domain/error.ts';
import { storageFailure } from '../storage/durable-file.ts';
import { endIfFatal } from '../storage/fatal.ts';

/** Messages longer than this are cut: Temporal truncates failures above 4 KiB. */
const messageLimit = 1_000;

/** The makers of a host's activities; `plain` says a line as Temporal may keep it. */
export function edges(plain: (text: string) => string): {
  edge: Maker;
  reporting: Maker;
  question: <Result>(step: () => Promise<Result>) => () => Promise<Result>;
} {
  return {
    edge: (schema, step) => edge(schema, step, plain),
    reporting: (schema, step) => reporting(schema, step, plain),
    question: (step) => question(step, plain),
  };
}

type Maker = <Schema extends z.ZodType, Result>(
  schema: Schema,
  step: (ask: z.infer<Schema>) => Promise<Result>,
) => (ask: z.input<Schema>) => Promise<Result>;

/**
 * Makes an activity of a step: parses its input by `schema`, heartbeats while it lasts, and turns what it throws into an
 * ApplicationFailure whose type is an `ErrorType`, decided here once to be retryable or not, with the hint as `details[0].hint`.
 */
function edge<Schema extends z.ZodType, Result>(
  schema: Schema,
  step: (ask: z.infer<Schema>) => Promise<Result>,
  plain: (text: string) => string,
): (ask: z.input<Schema>) => Promise<Result> {
  return reporting(schema, (ask) => beating(step(ask), () => null), plain);
}

/** The same for a step that heartbeats by itself, with its progress as details. */
function reporting<Schema extends z.ZodType, Result>(
  schema: Schema,
  step: (ask: z.infer<Schema>) => Promise<Result>,
  plain: (text: string) => string,
): (ask: z.input<Schema>) => Promise<Result> {
  return async (ask) => {
    const parsed = schema.safeParse(ask);
    if (!parsed.success) {
      throw ApplicationFailure.nonRetryable(z.prettifyError(parsed.error).slice(0, messageLimit), 'bad-usage');
    }
    try {
      return await step(parsed.data);
    } catch (error) {
      throw toFailure(error, plain);
    }
  };
}

/** The same for a question that takes nothing. */
function question<Result>(step: () => Promise<Result>, plain: (text: string) => string): () => Promise<Result> {
  return async () => {
    try {
      return await beating(step(), () => null);
    } catch (error) {
      throw toFailure(error, plain);
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
  // Also when nobody waits for it any more.
  work.catch(endIfFatal);
  try {
    return await Promise.race([work, Context.current().cancelled]);
  } finally {
    beat();
    clearInterval(timer);
  }
}

function toFailure(thrown: unknown, plain: (text: string) => string): unknown {
  endIfFatal(thrown);
  const error = storageFailure(thrown, pathOf(thrown));
  if (isSealiftError(error)) {
    const { type, message, cause } = error;
    const told = {
      message: plain(message).slice(0, messageLimit),
      hint: error.hint === undefined ? null : plain(error.hint),
    };
    if (told.message !== message || cause !== undefined) {
      log.warn('a step failed', { type, message, cause: cause instanceof Error ? cause.message : undefined });
    }
    return ApplicationFailure.create({
      type,
      message: told.message,
      nonRetryable: errorKind(type).retryable !== true,
      details: [{ hint: told.hint }],
    });
  }
  // Temporal's own failures (a cancellation above all) keep their meaning.
  if (!(error instanceof Error) || 'failure' in error || error.name.endsWith('Failure')) return error;
  log.error('a step failed in an unforeseen way', { name: error.name, message: error.message, stack: error.stack });
  // Its message may hold anything.
  return ApplicationFailure.create({
    type: 'internal',
    message: `${activityInfo().activityType} failed in an unforeseen way`,
    nonRetryable: true,
    details: [{ hint: "see the log of the host's worker, and report it" }],
  });
}

/** What the system was asked about when it failed. */
function pathOf(error: unknown): string {
  const { path } = error instanceof Error && 'path' in error ? error : { path: null };
  return typeof path === 'string' ? path : 'a file';
}

/** Whether a step's error only says that the run is not known here. */
export function isUnknownRun(error: unknown): boolean {
  return isSealiftError(error) && error.type === 'unknown-run';
}
