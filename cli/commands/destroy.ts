import type { Command } from 'commander';
import { z } from 'zod';
import { vmArgument } from '../arguments.ts';
import { typedName } from '../ask.ts';
import type { Cli } from '../cli.ts';
import { parseOptions } from '../parse.ts';
import { examples } from './examples.ts';

const options = z.object({ confirm: z.string().optional() });

export function addDestroy(program: Command, cli: Cli): void {
  program
    .command('destroy')
    .argument('<vm>', 'name or uuid', vmArgument)
    .description('pull the plug of a guest that does not shut down; the move goes on with its disks as they are then')
    .option('--confirm <name>', "the VM's name, instead of typing it when asked")
    .addHelpText('after', examples('sealift destroy web-1', 'sealift destroy web-1 --confirm web-1'))
    .action(async (vm: string, raw: unknown) => {
      const { confirm } = parseOptions(options, raw);
      const name = await typedName(cli, `unsaved writes of ${vm} are lost; type its name:`, confirm);
      const move = await (await cli.connect()).handle(vm);
      await move.destroy(name, cli.user);
      cli.answer({ vm, destroyed: true }, [`${vm} is being destroyed on its source; the move goes on`]);
    });
}
