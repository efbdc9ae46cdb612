import { z } from 'zod';
import type { FinishResult, MigrationStatus, Receipt, RevertResult } from '../../client/index.ts';
import { SealiftError } from '../../domain/error.ts';
import { receipt } from '../../domain/receipt.ts';
import type { Cli } from '../cli.ts';
import { formatMoment } from '../format.ts';
import { plural } from '../live/words.ts';
import { movedLines } from './receipt.ts';

/** Says what a workflow about a VM ended with. A VM that moved and did not pass its probe fails the command with `probe-failed`. */
export function sayEnd(cli: Cli, kind: MigrationStatus['kind'], result: unknown): void {
  if (kind === 'revert') return sayDone(cli, result, revertedLines(revertResult.parse(result)));
  if (kind === 'finish') return sayDone(cli, result, finishedLines(finishResult.parse(result)));
  const moved: Receipt = receipt.parse(result);
  sayDone(cli, moved, movedLines(moved));
  const failed = moved.body.probe.filter((one) => !one.passed);
  if (failed.length > 0) cli.fail(probeFailed(moved.body, failed));
}

/** What a finish did, for people. */
export function finishedLines({ vmName, host, released }: FinishResult): string[] {
  return [
    `the hold of ${vmName} has ended: ${plural(released.length, 'fenced copy').replace('copys', 'copies')} at ${host} may be removed`,
    `  sealift gc --host ${host}`,
  ];
}

function sayDone(cli: Cli, result: unknown, lines: string[]): void {
  cli.answer({ event: 'done', result }, ['', ...lines]);
}

function probeFailed({ vmName, destination }: Receipt['body'], failed: Receipt['body']['probe']): SealiftError {
  const what = failed.map((one) => `${one.check}: ${one.detail}`).join('; ');
  return new SealiftError('probe-failed', `${vmName} was started on ${destination.name} but ${what}`, {
    hint: `look at it on ${destination.name}; sealift revert ${vmName} brings it back`,
  });
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
