/**
 * Calls `stop` once, on SIGTERM, on SIGINT, on SIGHUP, or when standard input, if it is a pipe, ends: whoever started us has died.
 * A second signal ends the process at once.
 */
export function onStop(stop: () => Promise<void>): void {
  let stopping = false;
  const begin = (): void => {
    if (stopping) process.exit(1);
    stopping = true;
    stop().then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', begin);
  process.on('SIGINT', begin);
  process.on('SIGHUP', begin);
  if (process.env.SEALIFT_STOP_WITH_STDIN === '1') {
    process.stdin.resume();
    process.stdin.once('end', begin);
  }
}
