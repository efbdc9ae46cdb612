import { dom0 } from '../dom0/dom0.ts';
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

/** Runs one xl command and gives what it printed, whatever its exit code. Throws 'xl-hangs' after `limitMs`, 'xl-failed' when it cannot be run at all. */
export async function runXl(
  xl: XlCommand,
  argv: [verb: string, ...rest: string[]],
  limitMs: number,
): Promise<XlOutcome> {
  const [verb] = argv;
  const outcome = await dom0().run([xl.command, ...argv], { env: xl.env, limitMs });
  if (outcome.ended === 'limit') {
    throw new SealiftError('xl-hangs', `xl ${verb} did not end within ${String(limitMs)} ms and was killed`);
  }
  if (outcome.ended === 'missing') throw new SealiftError('xl-failed', `xl cannot be run (${outcome.stderr})`);
  return outcome;
}

/** An 'xl-failed' that tells the verb, the exit code and the telling lines of standard error, without paths. */
export function xlFailed(verb: string, outcome: XlOutcome): SealiftError {
  const exit = outcome.exitCode === null ? 'killed by a signal' : `exit ${String(outcome.exitCode)}`;
  const reason = tellingLines(outcome.stderr);
  return new SealiftError('xl-failed', `xl ${verb} failed (${exit})${reason === '' ? '' : `: ${reason}`}`);
}

/** Follows libxl's way down after the first error, and says nothing new. */
const noise =
  /^(Parsing config|Saving to|Loading new save|Shutting down|Waiting for)|Non-existant domain|Unable to destroy guest|Destruction of domain failed|xc: (info|progress)|^\S+: (debug|detail|verbose|progress): |^(Migration failed|migration (sender|target):)|migration transport process/;

function tellingLines(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '' && !noise.test(line));
  const text = lines
    .slice(0, 2)
    .map((line) => line.replace(/^libxl: \w+: [\w.]+:\d+:\w+: /, '').trim())
    .join('; ');
  // The line may be kept by Temporal, which sees no path of a host.
  return text.replaceAll(/(?<![\w.])\/[^\s:;,'"]+/g, '<path>').slice(0, 300);
}
