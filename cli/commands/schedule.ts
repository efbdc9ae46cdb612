import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { formatMoment, formatTable } from '../format.ts';
import type { ScheduleSummary } from '../../client/index.ts';
import { examples } from './examples.ts';
import { addScheduleCreate } from './schedule-create.ts';

export function addSchedule(program: Command, cli: Cli): void {
  const schedule = program.command('schedule').description('moves and evacuations at a time, by Temporal Schedules');
  addScheduleCreate(schedule, cli);

  schedule
    .command('list')
    .description('list all schedules')
    .addHelpText('after', examples('sealift schedule list'))
    .action(async () => {
      const schedules = await (await cli.connect()).schedules.list();
      const table = formatTable(['ID', 'WHAT', 'FROM', 'TO', 'NEXT', 'LAST', 'OUTCOME', 'NOTE'], schedules.map(row));
      cli.answer({ schedules }, schedules.length === 0 ? ['no schedules'] : table);
    });

  const steer = (name: 'pause' | 'resume' | 'trigger' | 'delete', description: string, past: string): void => {
    schedule
      .command(name)
      .argument('<id>', "the schedule's id")
      .description(description)
      .addHelpText('after', examples(`sealift schedule ${name} night-drill`))
      .action(async (id: string) => {
        await (await cli.connect()).schedules[name](id);
        cli.answer({ id, [past]: true }, [`${id} is ${past}`]);
      });
  };
  steer('pause', 'start nothing until it is resumed', 'paused');
  steer('resume', 'start again at its times', 'resumed');
  steer('trigger', 'start it now, beside its times', 'triggered');
  steer('delete', 'remove it; what it started goes on', 'deleted');
}

function row(one: ScheduleSummary): string[] {
  const what = one.what === null ? '' : one.what === 'evacuation' ? 'evacuation' : one.what.vm;
  const next = one.paused ? 'paused' : formatMoment(one.next[0] ?? null);
  return [
    one.id,
    what,
    one.from ?? '',
    one.to ?? '',
    next,
    formatMoment(one.recent.at(-1)?.at ?? null),
    one.outcome ?? '',
    one.note ?? '',
  ];
}
