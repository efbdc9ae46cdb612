import { createInterface } from 'node:readline';
import { SealiftError } from '../domain/error.ts';
import type { Cli } from './cli.ts';

/** Asks for a line on the terminal; Ctrl-C or the end of input is an empty answer. */
async function askLine(cli: Cli, question: string): Promise<string> {
  const lines = createInterface({ input: cli.io.stdin, output: cli.io.stderr, prompt: question });
  lines.prompt();
  const answer = await new Promise<string>((resolve) => {
    lines.once('line', resolve);
    lines.once('close', () => resolve(''));
  });
  lines.close();
  return answer.trim();
}

/** Whether the person agrees. Without a person at a terminal, `--yes` must have been given: throws `bad-usage`. */
export async function agree(cli: Cli, question: string, yes: boolean): Promise<boolean> {
  if (yes) return true;
  if (!cli.interactive) {
    throw new SealiftError('bad-usage', 'nobody is at a terminal to be asked', { hint: 'add --yes' });
  }
  return /^y(es)?$/i.test(await askLine(cli, `${question} [y/N] `));
}

/** The VM's name as a person typed it, by `--confirm` or on the terminal. Throws `bad-usage` when there is neither. */
export async function typedName(cli: Cli, question: string, confirm: string | undefined): Promise<string> {
  if (confirm !== undefined) return confirm;
  if (!cli.interactive) {
    throw new SealiftError('bad-usage', 'the name of the VM is to be typed, and nobody is at a terminal', {
      hint: 'add --confirm NAME',
    });
  }
  return askLine(cli, `${question} `);
}
