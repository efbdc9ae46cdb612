import { z } from 'zod';
import type { FinishResult, MigrationStatus, Receipt, RevertResult } from '../../client/index.ts';
import { receipt } from '../../domain/receipt.ts';
import { formatMoment } from '../format.ts';
import { plural } from '../live/words.ts';
import { movedLines } from './receipt.ts';

/** What a workflow about a VM ended with, for people. */
export function endLines(kind: MigrationStatus['kind'], result: unknown): string[] {
  if (kind === 'migrate') return ['', ...movedLines(receipt.parse(result) satisfies Receipt)];
  if (kind === 'revert') return ['', ...revertedLines(revertResult.parse(result))];
  return ['', ...finishedLines(finishResult.parse(result))];
}

const revertResult = z.object({
  vmUuid: z.string(),
  vmName: z.string(),
  host: z.string(),
  started: z.boolean(),
  leftBehind: z.object({ host: z.string(), since: z.string(), until: z.string() }).nullable(),
}) satisfies z.ZodType<RevertResult>;

const finishResult = z.object({
  vmUuid: z.string(),
  vmName: z.string(),
  host: z.string(),
  released: z.array(z.string()),
}) satisfies z.ZodType<FinishResult>;

function revertedLines(result: RevertResult): string[] {
  const { vmName, host, leftBehind } = result;
  const lines = [`${vmName} ${result.started ? 'runs on' : 'belongs to'} ${host} again`];
  if (leftBehind !== null) {
    const { since, until } = leftBehind;
    lines.push(
      `what it wrote from ${formatMoment(since)} to ${formatMoment(until)} stays on the disks at ${leftBehind.host}, fenced`,
    );
  }
  return lines;
}

function finishedLines({ vmName, host, released }: FinishResult): string[] {
  return [
    `the hold of ${vmName} has ended: ${plural(released.length, 'fenced copy').replace('copys', 'copies')} at ${host} may be removed`,
    `  sealift gc --host ${host}`,
  ];
}
