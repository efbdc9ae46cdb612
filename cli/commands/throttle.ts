import type { Command } from 'commander';
import { vmArgument } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { formatRate } from '../format.ts';
import { parseOptions, rate } from '../parse.ts';
import { examples } from './examples.ts';

export function addThrottle(program: Command, cli: Cli): void {
  program
    .command('throttle')
    .argument('<vm>', 'name or uuid', vmArgument)
    .argument('<rate>', 'bytes a second (50M, 48Mi), bits a second (400Mbit), or "none"')
    .description('change the rate limit of a move while it runs')
    .addHelpText(
      'after',
      examples('sealift throttle web-1 50M', 'sealift throttle web-1 400Mbit', 'sealift throttle web-1 none'),
    )
    .action(async (vm: string, text: string) => {
      const limitBytesPerSecond = text === 'none' ? null : parseOptions(rate, text);
      const move = await (await cli.connect()).handle(vm);
      await move.throttle(limitBytesPerSecond);
      const said = limitBytesPerSecond === null ? 'without a limit' : `at most ${formatRate(limitBytesPerSecond)}`;
      cli.answer({ vm, limitBytesPerSecond }, [`${vm} moves ${said} now`]);
    });
}
