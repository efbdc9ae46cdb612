import type { Command } from 'commander';
import { vmArgument } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { examples } from './examples.ts';

export function addAbort(program: Command, cli: Cli): void {
  program
    .command('abort')
    .argument('<vm>', 'name or uuid', vmArgument)
    .description(
      'end a move before the deed is ceded: the VM goes back to the state it was found in; later use `sealift revert`',
    )
    .addHelpText('after', examples('sealift abort web-1'))
    .action(async (vm: string) => {
      const move = await (await cli.connect()).handle(vm);
      const answer = await move.abort();
      const aborted = answer.restarted ? `${vm} stays where it was and was started again` : `${vm} stays where it was`;
      const underWay = `the source of ${vm} is away: the abort goes on by itself when it is back`;
      cli.answer({ vm, ...answer }, [answer.outcome === 'aborted' ? aborted : underWay]);
    });
}
