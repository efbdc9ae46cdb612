import { parseArgs } from 'node:util';
import type { ParseArgsConfig } from 'node:util';

type Options = NonNullable<ParseArgsConfig['options']>;
type Values<Given extends Options> = ReturnType<typeof parseArgs<{ options: Given }>>['values'];

/** The options of a command of this project. Prints `usage` and ends the process: with 0 for `--help`, with 2 and the reason for wrong ones. */
export function readOptions<const Given extends Options>(usage: string, options: Given): Values<Given> {
  if (process.argv.slice(2).includes('--help')) {
    process.stdout.write(usage);
    process.exit(0);
  }
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    wrongOptions(usage, error instanceof Error ? error.message : String(error));
  }
}

/** Ends the process over options that cannot be meant. */
export function wrongOptions(usage: string, reason: string): never {
  process.stderr.write(`${reason}\n${usage}`);
  process.exit(2);
}
