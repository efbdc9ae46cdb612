import { refusal } from '../failures.ts';
import { ifReachable, onHost } from '../on-host.ts';
import type { Answer, Ask, Call } from '../on-host.ts';
import type { Outcomes } from '../state.ts';
import { pauseFor, step, waitFor } from '../task.ts';
import type { Task } from '../task.ts';

export interface GuestToStop {
  host: string;
  migrationId: string;
  /** It is not shut down: its memory goes there. */
  handOver?: () => Promise<Ask<'stopVm'>[0]['handOver']>;
  /** Runs before the guest is first ordered to shut down; may refuse. */
  before?: () => void;
}

/** Shuts the guest down; one that does not obey is dealt with by policy, or by a person. */
export async function stopGuest(task: Task, where: GuestToStop): Promise<Outcomes['stop']> {
  const { about } = task;
  const { host, migrationId } = where;
  return step(task, 'stop', 'stop', async (note) => {
    const orderedAt = Date.now();
    let wasRunning = false;
    let destroyed = false;
    for (let graceMs = about.graceMs, asked = false; ; asked = true) {
      const before = asked || where.before === undefined ? {} : { before: where.before };
      const call = { summary: summaryOf(task, where), ...before };
      const stop = await stopOnce(task, where, call, graceMs);
      wasRunning ||= stop.wasRunning;
      if (stop.outcome === 'stopped') {
        if (destroyed) note('destroyed');
        else if (!wasRunning) note('was not running');
        // One that was handed over ran until it was suspended.
        task.state.wireBytes += stop.wireBytes ?? 0;
        if (stop.silentMs !== undefined) note(`its memory is on ${about.to}`);
        return { wasRunning, orderedAt: stop.silentMs === undefined ? orderedAt : Date.now() - stop.silentMs };
      }
      if (destroyed) throw refusal('unknown-state', `${about.vmName} is still there after it was destroyed on ${host}`);
      const decision = await chooseNext(task, where, graceMs, stop.detail);
      if ('destroyedBy' in decision) {
        const call = { summary: `destroy ${about.vmName} on ${host}` };
        await onHost(task, host, 'destroyVm', call, { migrationId, by: decision.destroyedBy });
        destroyed = true;
        graceMs = 0;
      } else {
        graceMs = decision.waitMs;
      }
    }
  });
}

/** Bytes cross meanwhile, where the guest is handed over. */
async function stopOnce(task: Task, where: GuestToStop, call: Call, graceMs: number): Promise<Answer<'stopVm'>> {
  const { host, migrationId, handOver } = where;
  if (handOver === undefined) return onHost(task, host, 'stopVm', call, { migrationId, graceMs });
  task.live.moving = true;
  try {
    return await onHost(task, host, 'stopVm', call, { migrationId, graceMs, handOver: await handOver() });
  } finally {
    task.live.moving = false;
  }
}

function summaryOf({ about }: Task, { host, handOver }: GuestToStop): string {
  if (handOver !== undefined) return `send the memory of ${about.vmName} from ${host} to ${about.to}`;
  return `${about.keepMemory === true ? 'save' : 'shut down'} ${about.vmName} on ${host}`;
}

type Decision = { waitMs: number } | { destroyedBy: string };

async function chooseNext(task: Task, where: GuestToStop, graceMs: number, detail: string): Promise<Decision> {
  const { vmName, onStuckGuest, keepMemory } = task.about;
  const late =
    keepMemory === true || where.handOver !== undefined
      ? `${vmName} has not stopped`
      : `${vmName} has not shut down after ${String(Math.round(graceMs / 1000))} s`;
  if (onStuckGuest === 'abort')
    throw refusal('guest-stuck', `${late}: ${detail}`, `it was left running on ${where.host}`);
  if (onStuckGuest === 'destroy') return { destroyedBy: 'the policy for a stuck guest' };
  return askPeople(task, where, [
    `${late}: ${detail}`,
    `sealift abort ${vmName} leaves it running where it is`,
    where.handOver === undefined
      ? `sealift wait ${vmName} 10m gives it more time`
      : `sealift wait ${vmName} 1m tries it again`,
    `sealift destroy ${vmName} pulls its plug (asks for the name)`,
  ]);
}

/** Waits for an update; meanwhile it looks now and then whether the guest has gone down by itself after all. */
async function askPeople(task: Task, where: GuestToStop, lines: string[]): Promise<Decision> {
  const { state, about } = task;
  state.stuck = { decision: null };
  const decided = (): boolean => state.stuck?.decision != null;
  waitFor(task, lines, 'person');
  for (
    let lookMs = about.timings.retryMaximumMs;
    !decided();
    lookMs = Math.min(lookMs * 2, about.timings.retryMaximumMs * 10)
  ) {
    await pauseFor(task, lookMs, `${about.vmName} does not shut down`, decided);
    if (decided()) break;
    const summary = `has ${about.vmName} shut down?`;
    const seen = await ifReachable(task, where.host, 'runState', { summary }, { migrationId: where.migrationId });
    if (seen?.domain === 'stopped' && !decided()) state.stuck.decision = { waitMs: 0 };
  }
  const decision = state.stuck.decision ?? { waitMs: 0 };
  state.stuck = null;
  waitFor(task, []);
  return decision;
}
