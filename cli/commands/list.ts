import type { Command } from 'commander';
import { z } from 'zod';
import { vmName } from '../../domain/names.ts';
import type { Cli } from '../cli.ts';
import { formatMoment, formatTable } from '../format.ts';
import { phaseWord } from '../live/words.ts';
import { count, parseOptions } from '../parse.ts';
import { examples } from './examples.ts';

const options = z.object({
  open: z.boolean().default(false),
  vm: vmName.optional(),
  limit: count.pipe(z.int().positive()),
});

export function addList(program: Command, cli: Cli): void {
  program
    .command('list')
    .description('list moves, reverts and finishes, newest first')
    .option('--open', 'only those that have not ended')
    .option('--vm <vm>', 'only those of one VM')
    .option('--limit <number>', 'at most so many', '50')
    .addHelpText('after', examples('sealift list', 'sealift list --open', 'sealift list --vm web-1 --json'))
    .action(async (raw: unknown) => {
      const { open, vm, limit } = parseOptions(options, raw);
      const sealift = await cli.connect();
      const moves = await sealift.list({ open, limit, ...(vm !== undefined && { vm }) });
      const rows = moves.map((move) => [
        move.vmName ?? move.vmUuid,
        move.kind,
        move.from ?? '',
        move.to ?? '',
        move.method ?? '',
        phaseWord(move.phase ?? (move.running ? 'running' : 'ended')),
        formatMoment(move.startedAt),
        formatMoment(move.closedAt),
      ]);
      const table = formatTable(['VM', 'WHAT', 'FROM', 'TO', 'METHOD', 'PHASE', 'BEGAN', 'ENDED'], rows);
      cli.answer({ moves }, moves.length === 0 ? ['no moves yet: sealift migrate VM --to HOST'] : table);
    });
}
