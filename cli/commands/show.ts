import type { Command } from 'commander';
import { vmArgument } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { renderMove } from '../live/render-move.ts';
import { concernLines } from '../print/concerns.ts';
import { examples } from './examples.ts';

export function addShow(program: Command, cli: Cli): void {
  program
    .command('show')
    .argument('<vm>', 'name or uuid', vmArgument)
    .description('show where the newest move of a VM stands')
    .addHelpText('after', examples('sealift show web-1', 'sealift show web-1 --json'))
    .action(async (vm: string) => {
      const move = await (await cli.connect()).handle(vm);
      // The first look of a watcher has the bytes that the hosts report meanwhile.
      for await (const look of move.progress()) {
        const { status, transfer, trouble } = look;
        const hint = status.error?.hint;
        cli.answer(look, [
          ...renderMove(status, transfer, cli.io.stdout.columns ?? 120, { trouble }),
          ...(status.concerns.length > 0 ? ['', ...concernLines(status.concerns)] : []),
          ...(hint == null ? [] : ['', `hint: ${hint}`]),
        ]);
        return;
      }
    });
}
