import type { Command } from 'commander';
import { z } from 'zod';
import type { ScheduleRequest } from '../../client/index.ts';
import { SealiftError } from '../../domain/error.ts';
import { hostName, vmName } from '../../domain/names.ts';
import type { Cli } from '../cli.ts';
import { addMoveOptions, moveOptions, moveRequest } from '../move-options.ts';
import { duration, moment, parseOptions } from '../parse.ts';
import { examples } from './examples.ts';

const id = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/, 'not an id (letters, digits and "_.-")');
const options = moveOptions.extend({
  vm: vmName.optional(),
  evacuate: z.boolean().default(false),
  from: hostName,
  at: moment.optional(),
  cron: z.string().min(1).max(100).optional(),
  timezone: z.string().max(60).optional(),
  jitter: duration.optional(),
  catchUp: duration.optional(),
  note: z.string().max(500).optional(),
});
type Options = z.output<typeof options>;

export function addScheduleCreate(schedule: Command, cli: Cli): void {
  addMoveOptions(
    schedule
      .command('create')
      .argument('<id>', 'a name for the schedule')
      .description('move a VM, or all VMs of a host, at a time or again and again')
      .option('--vm <vm>', 'the VM to move')
      .option('--evacuate', 'instead of one VM: all VMs that the host holds')
      .requiredOption('--from <host>', 'the host they are on')
      .option('--at <moment>', 'once: 2026-11-30T01:00 (this machine) or 2026-11-30T01:00Z')
      .option('--cron <line>', 'again and again: "0 2 * * 6"')
      .option('--timezone <zone>', 'of the cron line: Europe/London (default: UTC)')
      .option('--jitter <time>', 'spread the starts over this time (default: 0s for --at, 1m for --cron)')
      .option('--catch-up <time>', 'drop a start missed by more than this (default: 1h)')
      .option('--note <text>', 'why it is there'),
  )
    .addHelpText(
      'after',
      examples(
        'sealift schedule create web-1-home --vm web-1 --from fra-1 --to lon-1 --at 2026-11-30T01:00Z',
        'sealift schedule create drill --evacuate --from lon-1 --to fra-1 --cron "0 2 * * 6" --timezone Europe/London',
      ),
    )
    .action(async (name: string, raw: unknown) => {
      const given = parseOptions(options, raw);
      const request = scheduleRequest(parseOptions(id, name), given);
      const warnings = await (await cli.connect()).schedules.create(request);
      cli.answer({ id: request.id, created: true, warnings }, [`${request.id} is created: sealift schedule list`]);
      for (const line of warnings) cli.note(`warning: ${line}`);
    });
}

function scheduleRequest(name: string, given: Options): ScheduleRequest {
  const { to, ...rest } = moveRequest(given);
  return {
    id: name,
    what: whatOf(given),
    from: given.from,
    to,
    when: whenOf(given),
    options: rest,
    ...(given.jitter !== undefined && { jitterMs: given.jitter }),
    ...(given.catchUp !== undefined && { catchUpMs: given.catchUp }),
    ...(given.note !== undefined && { note: given.note }),
  };
}

function whatOf({ vm, evacuate }: Options): ScheduleRequest['what'] {
  if (evacuate && vm === undefined) return 'evacuation';
  if (!evacuate && vm !== undefined) return { vm };
  throw new SealiftError('bad-usage', 'either --vm VM or --evacuate says what moves');
}

function whenOf({ at, cron, timezone }: Options): ScheduleRequest['when'] {
  if (at !== undefined && cron === undefined && timezone === undefined) return { at };
  if (cron !== undefined && at === undefined) return { cron, ...(timezone !== undefined && { timezone }) };
  throw new SealiftError('bad-usage', 'either --at MOMENT or --cron LINE [--timezone ZONE] says when');
}
