import type { Command } from 'commander';
import { vmArgument } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { finishedLines } from '../print/end.ts';
import { examples } from './examples.ts';

export function addFinish(program: Command, cli: Cli): void {
  program
    .command('finish')
    .argument('<vm>', 'name or uuid', vmArgument)
    .description(
      'end the hold after a move: the fenced copy at its source is released for `sealift gc`; no revert after it',
    )
    .addHelpText('after', examples('sealift finish web-1'))
    .action(async (vm: string) => {
      const task = await (await cli.connect()).finish({ vm, by: cli.user });
      const result = await task.result();
      cli.answer(result, ['', ...finishedLines(result)]);
    });
}
