import { errorKind, isErrorType } from './error-types.ts';
import type { ErrorType } from './error-types.ts';

/**
 * The one error of Sealift's libraries: a stable `type` (see `domain/error-types.ts`), a lower-case line that names the
 * thing and the value, and a hint where a person can act. It never carries a key, a configuration or a guest's data.
 */
export class SealiftError extends Error {
  override readonly name = 'SealiftError';
  readonly type: ErrorType;
  readonly hint: string | undefined;
  /** The process that meets it must end: see storage/fatal.ts. */
  readonly fatal: boolean;

  constructor(type: ErrorType, message: string, options: { hint?: string; cause?: unknown; fatal?: boolean } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.type = type;
    this.hint = options.hint ?? errorKind(type).hint;
    this.fatal = options.fatal ?? false;
  }
}

/** The hint among the details with which a SealiftError crosses Temporal. */
export function hintAmong(details: readonly unknown[] | null | undefined): string | null {
  for (const detail of details ?? []) {
    if (typeof detail === 'object' && detail !== null && 'hint' in detail && typeof detail.hint === 'string')
      return detail.hint;
  }
  return null;
}

/** Whether `error` is a SealiftError, also when it comes from another realm (a worker thread, the workflow sandbox). */
export function isSealiftError(error: unknown): error is SealiftError {
  // `instanceof` fails across realms; every realm gives its errors this tag.
  if (Object.prototype.toString.call(error) !== '[object Error]') return false;
  if (typeof error !== 'object' || error === null || !('name' in error) || !('type' in error)) return false;
  return error.name === 'SealiftError' && isErrorType(error.type);
}
