import type { Command } from 'commander';
import { z } from 'zod';
import { vmArgument } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { follow } from '../live/follow.ts';
import { parseOptions } from '../parse.ts';
import { sayEnd } from '../print/end.ts';
import { examples } from './examples.ts';

const options = z.object({ stay: z.boolean().default(false) });

export function addWatch(program: Command, cli: Cli): void {
  program
    .command('watch')
    .argument('<vm>', 'name or uuid', vmArgument)
    .description('follow the newest move of a VM to its end; Ctrl-C ends the watching and never the move')
    .option('--stay', 'without a terminal: go on watching a move that waits for a person, instead of exit 4')
    .addHelpText('after', examples('sealift watch web-1', 'sealift watch web-1 --json'))
    .action(async (vm: string, raw: unknown) => {
      const { stay } = parseOptions(options, raw);
      const move = await (await cli.connect()).handle(vm);
      const ending = await follow<unknown>(cli, move, { stay });
      if (ending.how !== 'closed') return;
      const { result, status } = ending;
      sayEnd(cli, status?.kind ?? 'migrate', result);
    });
}
