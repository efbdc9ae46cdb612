import type { Command } from 'commander';
import { vmArgument } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { examples } from './examples.ts';

export function addPause(program: Command, cli: Cli): void {
  program
    .command('pause')
    .argument('<vm>', 'name or uuid', vmArgument)
    .description('stop moving bytes until `sealift resume`; what has crossed stays')
    .addHelpText('after', examples('sealift pause web-1'))
    .action(async (vm: string) => {
      const move = await (await cli.connect()).handle(vm);
      await move.pause();
      cli.answer({ vm, paused: true }, [`${vm} is paused: sealift resume ${vm} ends it`]);
    });
}
