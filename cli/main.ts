import { CommanderError } from 'commander';
import { SealiftError } from '../domain/error.ts';
import { Cli } from './cli.ts';
import { exitCodes } from './exit-codes.ts';
import type { Io } from './io.ts';
import { makeProgram } from './program.ts';

/** Runs one command line (without the program's name) to its end; gives the exit code. */
export async function main(args: string[], io: Io): Promise<number> {
  const cli = new Cli(io);
  try {
    await makeProgram(cli).parseAsync(args, { from: 'user' });
  } catch (error) {
    // A usage error comes before --json was read.
    if (args.includes('--json')) cli.json = true;
    if (!(error instanceof CommanderError)) cli.fail(error);
    else if (error.exitCode === 0) cli.exitCode = exitCodes.done;
    else if (error.code === 'commander.help') cli.exitCode = exitCodes.usage;
    else cli.fail(usageError(error));
  } finally {
    await cli.close();
  }
  return cli.exitCode;
}

/** commander says "error: unknown option '--x'" and may add "(Did you mean --y?)" on a line of its own. */
function usageError(error: CommanderError): SealiftError {
  const [first = '', ...rest] = error.message.replace(/^error: /, '').split('\n');
  const guess = rest.map((line) => /^\(Did you mean (?:one of )?(.*)\?\)$/.exec(line)?.[1]).find(Boolean);
  return new SealiftError(
    'bad-usage',
    first.replace(/\.$/, ''),
    guess === undefined ? {} : { hint: `did you mean ${guess}?` },
  );
}
