import type { Command } from 'commander';
import { z } from 'zod';
import { createIdentity } from '../../deed/identity.ts';
import type { Cli } from '../cli.ts';
import { defaultOperatorFolder } from '../operator-key.ts';
import { parseOptions } from '../parse.ts';
import { examples } from './examples.ts';

const options = z.object({ key: z.string().optional() });

export function addOperator(program: Command, cli: Cli): void {
  const operator = program.command('operator').description('the people whose word counts when a host is gone for good');
  operator
    .command('init')
    .description("draw an operator's key, and print what each host's file needs to know him by")
    .option('--key <folder>', 'where it is to lie (default: ~/.config/sealift/operator)')
    .addHelpText('after', examples('sealift operator init', 'sealift operator init --key /media/ada/sealift'))
    .action(async (raw: unknown) => {
      const folder = parseOptions(options, raw).key ?? defaultOperatorFolder(cli.io.env);
      const { name: identity } = await createIdentity(folder, 'operator');
      cli.answer({ folder, identity }, [
        `an operator's key is made: ${folder}`,
        '',
        "in each host's file, with your name; then restart its worker:",
        '',
        '[[operator]]',
        `name = "${cli.user}"`,
        `identity = "${identity}"`,
      ]);
    });
}
