import type { Command } from 'commander';
import { z } from 'zod';
import { SealiftError } from '../../domain/error.ts';
import { hostName, migrationId } from '../../domain/names.ts';
import { vmArgument } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { parseOptions } from '../parse.ts';
import { receiptLines } from '../print/receipt.ts';
import { examples } from './examples.ts';

const options = z.object({
  migration: migrationId.optional(),
  host: hostName.optional(),
  all: z.boolean().default(false),
});

export function addReceiptShow(receipt: Command, cli: Cli): void {
  receipt
    .command('show')
    .argument('<vm>', 'name or uuid', vmArgument)
    .description("show a VM's newest receipt, from the hosts' own databases")
    .option('--migration <id>', 'the one of this migration')
    .option('--host <host>', 'ask only this host')
    .option('--all', 'all of them, newest first')
    .addHelpText(
      'after',
      examples('sealift receipt show web-1', 'sealift receipt show web-1 --json > web-1.receipt.json'),
    )
    .action(async (vm: string, raw: unknown) => {
      const { migration, host, all } = parseOptions(options, raw);
      const found = await (
        await cli.connect()
      ).receipts({
        vm,
        ...(migration !== undefined && { migrationId: migration }),
        ...(host !== undefined && { host }),
      });
      const sorted = found.sort((one, other) => other.body.token - one.body.token);
      const newest = sorted[0];
      if (newest === undefined) throw new SealiftError('unknown-run', `no host has a receipt of ${vm}`);
      if (all)
        cli.answer(
          { receipts: sorted },
          sorted.flatMap((one) => [...receiptLines(one), '']),
        );
      else cli.answer(newest, receiptLines(newest));
    });
}
