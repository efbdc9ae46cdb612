import { Option } from 'commander';
import type { Command } from 'commander';
import { z } from 'zod';
import { hostName, method, poolName } from '../../domain/names.ts';
import { vmArgument } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { exitCodes } from '../exit-codes.ts';
import { parseOptions } from '../parse.ts';
import { planLines } from '../print/plan.ts';
import { examples } from './examples.ts';

const options = z.object({
  to: hostName,
  from: hostName.optional(),
  method: method.optional(),
  pool: poolName.optional(),
  keepMemory: z.boolean().default(false),
});

export function addPlan(program: Command, cli: Cli): void {
  program
    .command('plan')
    .argument('<vm>', 'name or uuid', vmArgument)
    .description(
      'say what a move would do and what speaks against it; changes nothing, exit 3 when it would be refused',
    )
    .requiredOption('--to <host>', 'the host it would go to')
    .option('--from <host>', 'the host it is on (default: asked for at all hosts)')
    .addOption(new Option('--method <method>', 'how it would cross (default: sealed)').choices(method.options))
    .option('--pool <pool>', 'the pool at the destination')
    .option('--keep-memory', 'as a move that saves the guest with its memory instead of shutting it down')
    .addHelpText(
      'after',
      examples('sealift plan web-1 --to fra-1', 'sealift plan web-1 --to fra-1 --method staged --json'),
    )
    .action(async (vm: string, raw: unknown) => {
      const { to, from, method, pool, keepMemory } = parseOptions(options, raw);
      const sealift = await cli.connect();
      const plan = await sealift.plan({
        vm,
        to,
        ...(from !== undefined && { from }),
        ...(method !== undefined && { method }),
        ...(pool !== undefined && { pool }),
        ...(keepMemory && { keepMemory }),
      });
      cli.answer(plan, planLines(plan));
      if (plan.refused) cli.exitCode = exitCodes.refused;
    });
}
