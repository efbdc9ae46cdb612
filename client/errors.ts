import { isGrpcServiceError, ServiceError, WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import {
  ApplicationFailure,
  CancelledFailure,
  TerminatedFailure,
  TimeoutFailure,
  WorkflowExecutionAlreadyStartedError,
} from '@temporalio/common';
import { hintAmong, isSealiftError, SealiftError } from '../domain/error.ts';
import { isErrorType } from '../domain/error-types.ts';

/** What was being done, so that an error can name it. */
export interface Doing {
  address: string;
  /** The host that was asked. */
  host?: string;
  workflowId?: string;
}

/** Runs `act`; whatever it throws leaves as a SealiftError. */
export async function asSealift<T>(doing: Doing, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw toSealiftError(error, doing);
  }
}

/** The one place where Temporal's errors become Sealift's: same type and hint as where they were thrown. */
export function toSealiftError(error: unknown, doing: Doing): SealiftError {
  if (isSealiftError(error)) return error;
  const chain = causes(error);
  const known = chain.find((one) => one instanceof ApplicationFailure && isErrorType(one.type));
  if (known instanceof ApplicationFailure) return fromFailure(known, error);
  if (error instanceof WorkflowExecutionAlreadyStartedError) {
    return new SealiftError('already-migrating', `${error.workflowId} is open`, {
      hint: 'watch it with: sealift watch VM; or end it with: sealift abort VM',
      cause: error,
    });
  }
  if (error instanceof WorkflowNotFoundError) {
    return new SealiftError('unknown-run', `Temporal knows no ${doing.workflowId ?? error.workflowId}`, {
      cause: error,
    });
  }
  if (chain.some((one) => one instanceof TimeoutFailure) && doing.host !== undefined) {
    return hostAway(doing.host, error);
  }
  // Temporal's SDK has no type for it.
  if (chain.some((one) => one.message.startsWith('No registered handler'))) {
    return new SealiftError(
      'bad-usage',
      `${doing.workflowId ?? 'the task'} is a revert or a finish, which takes no such order`,
      {
        hint: 'see what it is with: sealift list',
        cause: error,
      },
    );
  }
  const ended = endOfWorkflow(error, chain, doing);
  if (ended !== null) return ended;
  const service = chain.find((one) => isGrpcServiceError(one));
  if (service !== undefined) return fromService(service, doing, error);
  if (error instanceof ServiceError) return temporalAway(doing.address, error);
  return new SealiftError('internal', firstLine(error), { cause: error });
}

function hostAway(host: string, cause?: unknown): SealiftError {
  return new SealiftError('host-away', `the worker of ${host} does not answer`, {
    hint: `start it on ${host}: systemctl start sealift-host, or see its log`,
    cause,
  });
}

export function temporalAway(address: string, cause?: unknown): SealiftError {
  return new SealiftError('temporal-away', `no Temporal server answers at ${address}`, { cause });
}

function endOfWorkflow(error: unknown, chain: Error[], doing: Doing): SealiftError | null {
  if (chain.some((one) => one instanceof CancelledFailure)) {
    return new SealiftError('cancelled', `${doing.workflowId ?? 'the step'} was cancelled`, { cause: error });
  }
  if (chain.some((one) => one instanceof TerminatedFailure)) {
    return new SealiftError('unknown-state', `${doing.workflowId ?? 'the step'} was terminated and undid nothing`, {
      hint: 'start the same migration again, or compare both hosts: sealift vm inspect VM --host HOST',
      cause: error,
    });
  }
  if (error instanceof WorkflowFailedError) {
    return new SealiftError('internal', firstLine(error.cause ?? error), { cause: error });
  }
  return null;
}

function fromFailure(failure: ApplicationFailure, cause: unknown): SealiftError {
  const type = isErrorType(failure.type) ? failure.type : 'internal';
  const hint = hintAmong(failure.details);
  return new SealiftError(type, failure.message, hint === null ? { cause } : { hint, cause });
}

/** gRPC's own words for "nobody there" and "nobody answers in time". */
function fromService(service: Error & { code: number; details: string }, doing: Doing, cause: unknown): SealiftError {
  const grpc = {
    deadlineExceeded: 4,
    notFound: 5,
    permissionDenied: 7,
    failedPrecondition: 9,
    unavailable: 14,
    unauthenticated: 16,
  };
  if (service.code === grpc.notFound) {
    return new SealiftError(
      'unknown-run',
      `Temporal knows no ${doing.workflowId ?? 'such thing'}: ${service.details}`,
      { cause },
    );
  }
  if (service.code === grpc.permissionDenied || service.code === grpc.unauthenticated) {
    return new SealiftError('temporal-away', `Temporal at ${doing.address} refuses this client: ${service.details}`, {
      hint: "check the profile's certificate or api key",
      cause,
    });
  }
  const workerAway = service.code === grpc.failedPrecondition || service.code === grpc.deadlineExceeded;
  if (workerAway && doing.workflowId !== undefined) {
    return new SealiftError('host-away', `no control worker answers for ${doing.workflowId}`, {
      hint: 'start one: sealift up',
      cause,
    });
  }
  if (service.code === grpc.unavailable || service.code === grpc.deadlineExceeded)
    return temporalAway(doing.address, cause);
  return new SealiftError('internal', `Temporal at ${doing.address} says: ${service.details}`, { cause });
}

function causes(error: unknown): Error[] {
  const chain: Error[] = [];
  for (let at = error; at instanceof Error && chain.length < 20; at = at.cause) chain.push(at);
  return chain;
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
}
