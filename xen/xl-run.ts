import { execa } from 'execa';
import { SealiftError } from '../domain/error.ts';

export interface XlCommand {
  /** Path of the `xl` executable. */
  command: string;
  /** Added to this process's own environment. */
  env: Record<string, string>;
}

export interface XlOutcome {
  /** Null when a signal ended it. */
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

/**
 * Runs one xl command and gives what it printed, whatever its exit code. It runs in a process group of its own, which is
 * killed when `limitMs` pass: then 'xl-hangs'. When it cannot be started at all: 'xl-failed'.
 */
export async function runXl(
  xl: XlCommand,
  argv: [verb: string, ...rest: string[]],
  limitMs: number,
): Promise<XlOutcome> {
  const [verb] = argv;
  const child = execa(xl.command, argv, {
    env: { ...xl.env, LC_ALL: 'C' },
    stdin: 'ignore',
    reject: false,
    detached: true,
    cleanup: false,
    maxBuffer: 64 * 1024 * 1024,
  });
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<'limit'>((resolve) => {
    timer = setTimeout(resolve, limitMs, 'limit');
  });
  try {
    const result = await Promise.race([child, limit]);
    if (result === 'limit') {
      killGroup(child.pid);
      // A grandchild in a session of its own may still hold the pipes: nobody waits for it.
      child.stdout.destroy();
      child.stderr.destroy();
      throw new SealiftError('xl-hangs', `xl ${verb} did not end within ${String(limitMs)} ms and was killed`);
    }
    if (result.exitCode === undefined && result.signal === undefined) {
      throw new SealiftError('xl-failed', `xl cannot be run (${result.code ?? 'unknown'})`);
    }
    return { exitCode: result.exitCode ?? null, stdout: result.stdout, stderr: result.stderr };
  } finally {
    clearTimeout(timer);
  }
}

/** An 'xl-failed' that tells the verb, the exit code and the telling lines of standard error, without paths. */
export function xlFailed(verb: string, outcome: XlOutcome): SealiftError {
  const exit = outcome.exitCode === null ? 'killed by a signal' : `exit ${String(outcome.exitCode)}`;
  const reason = tellingLines(outcome.stderr);
  return new SealiftError('xl-failed', `xl ${verb} failed (${exit})${reason === '' ? '' : `: ${reason}`}`);
}

/** Follows libxl's way down after the first error, and says nothing new. */
const noise =
  /^(Parsing config|Saving to|Loading new save|Shutting down|Waiting for)|Non-existant domain|Unable to destroy guest|Destruction of domain failed|xc: (info|progress)/;

function tellingLines(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '' && !noise.test(line));
  const text = lines
    .slice(0, 2)
    .map((line) => line.replace(/^libxl: \w+: [\w.]+:\d+:\w+: /, '').trim())
    .join('; ');
  // The line may be kept by Temporal, which sees no path of a host.
  return text.replaceAll(/(?<![\w.])\/[^\s:;,'"]+/g, '<path>').slice(0, 300);
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It ended by itself in this moment.
  }
}
