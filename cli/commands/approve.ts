import type { Command } from 'commander';
import { z } from 'zod';
import { vmArgument } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { parseOptions } from '../parse.ts';
import { examples } from './examples.ts';

const options = z.object({ by: z.string().min(1).max(200).optional() });

export function addApprove(program: Command, cli: Cli): void {
  program
    .command('approve')
    .argument('<vm>', 'name or uuid', vmArgument)
    .description('let a move begun with --cutover approve shut the VM down and go on')
    .option('--by <who>', 'who approves, for the receipt (default: you on this machine)')
    .addHelpText('after', examples('sealift approve web-1', 'sealift approve web-1 --by ops@example.org'))
    .action(async (vm: string, raw: unknown) => {
      const by = parseOptions(options, raw).by ?? cli.user;
      const move = await (await cli.connect()).handle(vm);
      await move.approve({ by });
      cli.answer({ vm, approvedBy: by }, [`${vm} is approved by ${by}: sealift watch ${vm} follows it`]);
    });
}
