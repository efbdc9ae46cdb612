import type { Command } from 'commander';
import { vmArgument } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { formatMs } from '../format.ts';
import { duration, parseOptions } from '../parse.ts';
import { examples } from './examples.ts';

export function addWait(program: Command, cli: Cli): void {
  program
    .command('wait')
    .argument('<vm>', 'name or uuid', vmArgument)
    .argument('<time>', 'how much longer: 90s, 10m, 1h')
    .description('give a guest that does not shut down more time')
    .addHelpText('after', examples('sealift wait web-1 10m'))
    .action(async (vm: string, text: string) => {
      const ms = parseOptions(duration, text);
      // The workflow counts whole minutes: never less than was asked for.
      const minutes = Math.max(1, Math.ceil(ms / 60_000));
      const move = await (await cli.connect()).handle(vm);
      await move.wait(minutes);
      cli.answer({ vm, minutes }, [`${vm} has ${formatMs(minutes * 60_000)} more to shut down`]);
    });
}
