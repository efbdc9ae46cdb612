/**
 * Aborted by the first SIGINT or SIGTERM, or by the SIGHUP of a terminal that is closed: whoever started us wants an end. From
 * then on they no longer kill this process.
 */
export function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      controller.abort();
    });
  }
  return controller.signal;
}

/** What `work` gives, or null when it failed because `signal` was aborted. */
export async function unlessAborted<Result>(signal: AbortSignal, work: Promise<Result>): Promise<Result | null> {
  try {
    return await work;
  } catch (error) {
    if (signal.aborted) return null;
    throw error;
  }
}

/** Resolves when `signal` is aborted. */
export async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((done) => {
    signal.addEventListener('abort', done, { once: true });
  });
}
