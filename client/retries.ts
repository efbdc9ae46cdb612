import { defaultGrpcRetryOptions, makeGrpcRetryInterceptor } from '@temporalio/client';

type Interceptor = ReturnType<typeof makeGrpcRetryInterceptor>;

/**
 * Temporal's own retries of a connection's calls, which can be ended. A retry waits for a timer, and one that comes after
 * its connection was closed throws where nobody can catch it.
 */
export class Retries {
  readonly #usual = defaultGrpcRetryOptions();
  #ending = false;
  #due = 0;
  #noneDue = Promise.withResolvers<undefined>();

  /** To be given to the connection in place of Temporal's own. */
  readonly interceptor: Interceptor = (options, nextCall) => {
    let attempts = 0;
    const retrying = makeGrpcRetryInterceptor({
      retryableDecider: (attempt, status) => !this.#ending && this.#usual.retryableDecider(attempt, status),
      delayFunction: (attempt, status) => {
        this.#due += 1;
        return this.#usual.delayFunction(attempt, status);
      },
    });
    return retrying(options, (again) => {
      attempts += 1;
      if (attempts > 1) this.#begun();
      return nextCall(again);
    });
  };

  /** Resolves when no retry will begin any more, after a few seconds at most: the connection may be closed. */
  async end(): Promise<void> {
    this.#ending = true;
    if (this.#due > 0) await this.#noneDue.promise;
  }

  #begun(): void {
    this.#due -= 1;
    if (this.#ending && this.#due === 0) this.#noneDue.resolve(undefined);
  }
}
