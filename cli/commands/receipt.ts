import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { addReceiptShow } from './receipt-show.ts';
import { addReceiptVerify } from './receipt-verify.ts';

export function addReceipt(program: Command, cli: Cli): void {
  const receipt = program.command('receipt').description('the records of moves, signed and kept by both hosts');
  for (const add of [addReceiptShow, addReceiptVerify]) add(receipt, cli);
}
