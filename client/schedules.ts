import { ScheduleNotFoundError, ScheduleOverlapPolicy } from '@temporalio/client';
import type { ScheduleDescription, ScheduleHandle, ScheduleOptions, ScheduleSpec } from '@temporalio/client';
import { ScheduleAlreadyRunning } from '@temporalio/client';
import { isSealiftError, SealiftError } from '../domain/error.ts';
import { controlTaskQueue } from '../domain/migration.ts';
import { scheduledMoveInput } from '../workflows/contract.ts';
import type { ScheduledMoveInput } from '../workflows/contract.ts';
import { askHost } from './ask-host.ts';
import { asSealift } from './errors.ts';
import { hostNames } from './hosts.ts';
import type { Link } from './link.ts';
import { outcomeOf } from './schedule-outcome.ts';
import type { ScheduleRequest, Schedules, ScheduleSummary } from './types.ts';

/** Temporal Schedules that start a move or an evacuation; nothing of our own. */
export function createSchedules(link: Link): Schedules {
  const client = link.client.schedule;
  const on = async <T>(id: string, act: (handle: ScheduleHandle) => Promise<T>): Promise<T> =>
    asSealift({ address: link.address }, async () => {
      try {
        return await act(client.getHandle(id));
      } catch (error) {
        if (!(error instanceof ScheduleNotFoundError)) throw error;
        throw new SealiftError('bad-usage', `there is no schedule ${id}`, { hint: 'list them: sealift schedule list' });
      }
    });
  return {
    create: (request) =>
      asSealift({ address: link.address }, async () => {
        try {
          await client.create(scheduleOptions(request));
        } catch (error) {
          // Temporal's client makes one of what the server does not take, such as the 61st minute or an unknown time zone.
          if (error instanceof TypeError) {
            throw new SealiftError('bad-usage', `the times of ${request.id} cannot be read: ${error.message}`);
          }
          if (!(error instanceof ScheduleAlreadyRunning)) throw error;
          throw new SealiftError('bad-usage', `a schedule ${request.id} exists`, {
            hint: `delete it first: sealift schedule delete ${request.id}`,
          });
        }
        return doubts(link, request);
      }),
    list: () =>
      asSealift({ address: link.address }, async () => {
        const found: ScheduleSummary[] = [];
        for await (const one of client.list()) {
          const { action } = one;
          if (action?.type !== 'startWorkflow' || action.workflowType !== 'scheduledMove') continue;
          const about = await client.getHandle(one.scheduleId).describe();
          found.push({ ...summary(about), outcome: await outcomeOf(link, about.info.recentActions.at(-1)) });
        }
        return found.sort((a, b) => a.id.localeCompare(b.id));
      }),
    pause: (id, note) => on(id, async (handle) => handle.pause(note ?? (await noteOf(handle, 'paused')))),
    resume: (id, note) => on(id, async (handle) => handle.unpause(note ?? (await noteOf(handle, 'resumed')))),
    trigger: (id) => on(id, (handle) => handle.trigger(ScheduleOverlapPolicy.SKIP)),
    delete: (id) => on(id, (handle) => handle.delete()),
  };
}

/** Temporal puts a word in the note's place, and takes no empty one: what somebody wrote down is given again. */
async function noteOf(handle: ScheduleHandle, word: 'paused' | 'resumed'): Promise<string> {
  return written((await handle.describe()).state.note) ?? word;
}

function written(note: string | undefined): string | null {
  return note === undefined || note === '' || note === 'paused' || note === 'resumed' ? null : note;
}

/** Names in the request that nobody knows now: they may come to be before its time, so they refuse nothing. */
async function doubts(link: Link, { what, from, to }: ScheduleRequest): Promise<string[]> {
  const known = await hostNames(link);
  const lines = [from, to]
    .filter((host) => !known.includes(host))
    .map((host) => `no host named ${host} has registered`);
  if (what === 'evacuation' || !known.includes(from)) return lines;
  try {
    const vms = await askHost(link, from, 'listVms');
    if (!vms.some((one) => one.vmName === what.vm)) lines.push(`${from} has no VM ${what.vm}`);
  } catch (error) {
    if (!isSealiftError(error) || error.type !== 'host-away') throw error;
    lines.push(`${from} is away: whether it has ${what.vm} is unknown`);
  }
  return lines;
}

/**
 * Overlap, jitter and catch-up are set on purpose: two starts of the same move never queue up, and Temporal's own
 * catch-up of a year would move VMs long after anybody expects it.
 */
function scheduleOptions(request: ScheduleRequest): ScheduleOptions {
  const once = 'at' in request.when;
  const parsed = scheduledMoveInput.safeParse({
    what: request.what,
    from: request.from,
    options: { ...request.options, to: request.to },
  });
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new SealiftError(
      'bad-usage',
      `${issue?.path.join('.') ?? 'the request'}: ${issue?.message ?? 'does not fit'}`,
    );
  }
  const what = parsed.data.what === 'evacuation' ? `everything on ${request.from}` : parsed.data.what.vm;
  return {
    scheduleId: request.id,
    spec: { ...spec(request.when), jitter: request.jitterMs ?? (once ? 0 : 60_000) },
    action: {
      type: 'startWorkflow',
      workflowType: 'scheduledMove',
      workflowId: `scheduled/${request.id}`,
      taskQueue: controlTaskQueue,
      args: [parsed.data],
      staticSummary: `${what}: ${request.from} → ${request.to}`,
    },
    policies: {
      overlap: ScheduleOverlapPolicy.SKIP,
      catchupWindow: request.catchUpMs ?? 3_600_000,
      pauseOnFailure: false,
    },
    state: {
      ...(request.note === undefined ? {} : { note: request.note }),
      ...(once ? { remainingActions: 1 } : {}),
    },
  };
}

function spec(when: ScheduleRequest['when']): ScheduleSpec {
  if ('cron' in when) return { cronExpressions: [when.cron], timezone: when.timezone ?? 'UTC' };
  const at = new Date(when.at);
  if (Number.isNaN(at.getTime()))
    throw new SealiftError('bad-usage', `${when.at} is not a time (2026-05-01T02:00:00Z)`);
  if (at.getTime() <= Date.now()) throw new SealiftError('bad-usage', `${when.at} is over: it would never start`);
  const months = [
    'JANUARY',
    'FEBRUARY',
    'MARCH',
    'APRIL',
    'MAY',
    'JUNE',
    'JULY',
    'AUGUST',
    'SEPTEMBER',
    'OCTOBER',
    'NOVEMBER',
    'DECEMBER',
  ] as const;
  const month = months[at.getUTCMonth()] ?? 'JANUARY';
  return {
    calendars: [
      {
        year: at.getUTCFullYear(),
        month,
        dayOfMonth: at.getUTCDate(),
        hour: at.getUTCHours(),
        minute: at.getUTCMinutes(),
        second: at.getUTCSeconds(),
      },
    ],
    timezone: 'UTC',
  };
}

function summary(one: ScheduleDescription): Omit<ScheduleSummary, 'outcome'> {
  const args: readonly unknown[] = one.action.args ?? [];
  const input = scheduledMoveInput.safeParse(args[0]);
  const plan: ScheduledMoveInput | null = input.success ? input.data : null;
  return {
    id: one.scheduleId,
    what: plan?.what ?? null,
    from: plan?.from ?? null,
    to: plan?.options.to ?? null,
    paused: one.state.paused,
    note: written(one.state.note),
    next: one.info.nextActionTimes.slice(0, 3).map((time) => time.toISOString()),
    recent: one.info.recentActions.map((action) => ({
      at: action.takenAt.toISOString(),
      workflowId: action.action.workflow.workflowId,
    })),
  };
}
