import type { Command } from 'commander';
import { z } from 'zod';
import type { MigrateRequest, MoveHandle, Sealift } from '../../client/index.ts';
import { hostName, migrationId } from '../../domain/names.ts';
import { vmArgument } from '../arguments.ts';
import { agree } from '../ask.ts';
import type { Cli } from '../cli.ts';
import { exitCodes } from '../exit-codes.ts';
import { follow } from '../live/follow.ts';
import { addMoveOptions, moveOptions, moveRequest } from '../move-options.ts';
import { parseOptions } from '../parse.ts';
import { sayEnd } from '../print/end.ts';
import { planLines } from '../print/plan.ts';
import { examples } from './examples.ts';

const options = moveOptions.extend({
  from: hostName.optional(),
  detach: z.boolean().default(false),
  stay: z.boolean().default(false),
  yes: z.boolean().default(false),
  supersede: migrationId.optional(),
  id: migrationId.optional(),
});

export function addMigrate(program: Command, cli: Cli): void {
  addMoveOptions(
    program
      .command('migrate')
      .argument('<vm>', 'name or uuid', vmArgument)
      .description('move a VM to another host: shut it down, move its disks sealed, start it there')
      .option('--from <host>', 'the host it is on (default: asked for at all hosts)'),
  )
    .option('--supersede <migration>', "take the place of this other migration's open run")
    .option('--id <migration>', 'a uuid for this migration: the same command given again goes on with the same run')
    .option('--detach', 'start it and come back')
    .option('--stay', 'without a terminal: go on watching a move that waits for a person, instead of exit 4')
    .option('--yes', 'do not ask about warnings')
    .addHelpText(
      'after',
      examples(
        'sealift migrate web-1 --to fra-1',
        'sealift migrate web-1 --to fra-1 --method staged --limit 400Mbit',
        'sealift migrate web-1 --to fra-1 --cutover approve --detach',
        'sealift migrate db-1 --to fra-1 --cutover 2026-11-30T01:00/2026-11-30T03:00 --probe-tcp 192.0.2.7:5432',
      ),
    )
    .action(async (vm: string, raw: unknown) => {
      const { from, supersede, id, detach, stay, yes, ...move } = parseOptions(options, raw);
      const request: MigrateRequest = {
        ...moveRequest(move),
        vm,
        ...(from !== undefined && { from }),
        ...(supersede !== undefined && { supersede }),
        ...(id !== undefined && { migrationId: id }),
      };
      const sealift = await cli.connect();
      if (cli.interactive && !yes && !(await planned(cli, sealift, request))) return;
      const handle = await sealift.migrate(request);
      if (detach) await sayStarted(cli, handle, vm);
      else await followMove(cli, handle, vm, stay);
    });
}

/** Plans first where a person can be asked. False when the plan refuses the move, or the person does. */
async function planned(cli: Cli, sealift: Sealift, request: MigrateRequest): Promise<boolean> {
  const { vm, to, from, method, pool, keepMemory, migrationId, supersede } = request;
  const plan = await sealift.plan({
    vm,
    to,
    ...(from !== undefined && { from }),
    ...(method !== undefined && { method }),
    ...(pool !== undefined && { pool }),
    ...(keepMemory !== undefined && { keepMemory }),
    ...(migrationId !== undefined && { migrationId }),
    ...(supersede !== undefined && { supersede }),
  });
  const warns = plan.concerns.some((one) => one.severity === 'warns');
  if (!plan.refused && !warns) return true;
  cli.lines(planLines(plan));
  if (!plan.refused && (await agree(cli, `move ${plan.vmName} to ${plan.to} all the same?`, false))) return true;
  cli.exitCode = exitCodes.refused;
  return false;
}

async function sayStarted(cli: Cli, handle: MoveHandle, vm: string): Promise<void> {
  const { migrationId, vmUuid, vmName, from, to } = await handle.status();
  cli.answer({ event: 'started', workflowId: handle.workflowId, migrationId, vmUuid, vmName, from, to }, [
    `${vmName} is on its way from ${from} to ${to}`,
    `  sealift watch ${vm}    follows it`,
    `  sealift abort ${vm}    brings it back`,
  ]);
}

async function followMove(cli: Cli, handle: MoveHandle, vm: string, stay: boolean): Promise<void> {
  if (cli.json) cli.event({ event: 'started', workflowId: handle.workflowId, vmUuid: handle.vmUuid });
  const ending = await follow(cli, handle, { stay });
  if (ending.how === 'closed') sayEnd(cli, 'migrate', ending.result);
}
