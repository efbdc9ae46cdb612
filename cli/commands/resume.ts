import type { Command } from 'commander';
import { vmArgument } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { examples } from './examples.ts';

export function addResume(program: Command, cli: Cli): void {
  program
    .command('resume')
    .argument('<vm>', 'name or uuid', vmArgument)
    .description('go on after `sealift pause`')
    .addHelpText('after', examples('sealift resume web-1'))
    .action(async (vm: string) => {
      const move = await (await cli.connect()).handle(vm);
      await move.resume();
      cli.answer({ vm, paused: false }, [`${vm} goes on`]);
    });
}
