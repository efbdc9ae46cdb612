import type { Readable, Writable } from 'node:stream';
import type { ConnectOptions, Sealift } from '../client/index.ts';

/** All that the command line touches of the world around it; tests give their own. */
export interface Io {
  readonly stdin: Readable & { isTTY?: boolean; setRawMode?: (raw: boolean) => unknown };
  readonly stdout: Writable & { isTTY?: boolean; columns?: number; rows?: number };
  readonly stderr: Writable & { isTTY?: boolean };
  readonly env: NodeJS.ProcessEnv;
  connect(options: ConnectOptions): Promise<Sealift>;
  /** Calls `act` at every Ctrl-C or SIGTERM until the returned function is called. */
  onInterrupt(act: () => void): () => void;
}

/** The real process. */
export function processIo(): Io {
  // `sealift list | head` closes the pipe early; that is the reader's right and no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? 0 : 1);
  });
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    // Temporal's packages take a second to load, which --help and --version need not wait for.
    connect: async (options) => (await import('../client/index.ts')).connect(options),
    onInterrupt(act) {
      process.on('SIGINT', act);
      process.on('SIGTERM', act);
      return () => {
        process.off('SIGINT', act);
        process.off('SIGTERM', act);
      };
    },
  };
}
