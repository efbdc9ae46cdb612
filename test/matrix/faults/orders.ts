import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isSealiftError } from '../../../domain/error.ts';
import { quick, xl } from '../../support/world.ts';
import type { Reached } from '../director.ts';
import { insist } from '../run.ts';
import type { Run } from '../run.ts';
import type { Fault } from './fault.ts';

/** Orders of people and of a control plane that errs, lies, or is not the only one. */
export const orderFaults: Fault[] = [
  { name: 'abort', strike: abort },
  { name: 'revert', strike: revert },
  { name: 'workflow reset', strike: reset, at: ({ stage }) => stage !== 'adopt' && stage !== 'gc' },
  {
    name: 'workflow terminated and started again',
    strike: terminate,
    at: ({ stage }) => stage !== 'adopt' && stage !== 'gc',
  },
  {
    name: 'second control plane',
    strike: second,
    slow: true,
    at: ({ stage }) => stage === 'move' || stage === 'revert',
  },
  { name: 'older steps replayed', strike: replaySteps, afterReturn: true, slow: true },
];

/** Not waited for: its answer may depend on the step that stands still. */
async function abort(run: Run): Promise<void> {
  const move = await run.stage.world.sealift.handle(run.suspect.vm.uuid);
  const answer = move.abort().then(
    ({ outcome }) => `abort: ${outcome}`,
    (error: unknown) => `abort: ${String(error)}`,
  );
  void answer.then((line) => run.story.push(line));
  await Promise.race([answer, sleep(1_000)]);
}

/** Asked for in the middle it is refused; asked for again when all is at rest it goes through, if the VM has moved. */
async function revert(run: Run): Promise<void> {
  const { sealift } = run.stage.world;
  const { name } = run.suspect.vm;
  await sealift
    .revert({ vm: name, confirm: name, timings: quick })
    .catch((error: unknown) => run.story.push(`revert in the middle: ${String(error)}`));
  run.afterwards = async () => {
    if ((await run.told()) !== run.destination) return;
    // After a finish there is nothing to go back to.
    await run.carryOut('revert').catch((error: unknown) => run.story.push(`revert: ${String(error)}`));
  };
}

/** To any completed workflow task so far. */
async function reset({ stage, workflowId, random, story }: Run): Promise<void> {
  const handle = stage.temporal.workflow.getHandle(workflowId);
  const events = (await handle.fetchHistory()).events ?? [];
  const completed = events.filter((event) => event.workflowTaskCompletedEventAttributes != null);
  const event = random.one(completed);
  story.push(`reset to event ${String(event.eventId)} of ${String(events.length)}`);
  await stage.temporal.workflowService.resetWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId, runId: (await handle.describe()).runId },
    reason: 'matrix',
    requestId: String(Math.random()),
    workflowTaskFinishEventId: event.eventId ?? null,
  });
}

async function terminate(run: Run, at: Reached): Promise<void> {
  const handle = run.stage.temporal.workflow.getHandle(run.workflowId);
  const { type } = await handle.describe();
  await handle.terminate('matrix');
  if (run.random.below(2) === 0) await sleep(500);
  // It is asked of the hosts, so it must not wait for the one that stands still.
  run.restart = run
    .begin(type === 'migrateVm' ? 'move' : type === 'revertVm' ? 'revert' : 'finish')
    .catch(async (error: unknown) => {
      run.story.push(`started again at ${at.name}: ${String(error)}`);
      // What the refusal's hint says.
      if (isSealiftError(error) && error.hint?.includes('sealift abort') === true)
        await run.stage.world.sealift.handle(run.suspect.vm.name).then((move) => move.abort());
    });
}

/**
 * All hosts are taken over by another Temporal, which moves the VM by a migration of its own, now and then to the third host; some time
 * later they come back. When all is at rest they are lent to it once more, so that it ends what it has begun, late as it is.
 */
async function second(run: Run): Promise<void> {
  const { stage, suspect, random, story } = run;
  const { world } = stage;
  const plane = await stage.secondPlane();
  run.uncertain = true;
  const take = async (address?: string): Promise<void> => {
    await Promise.all(
      world.up.hosts.map(async (at) => {
        await world.killWorker(at);
        await world.startWorker(at, address);
      }),
    );
  };
  await take(plane.address);
  // A revert is under way when the VM has moved.
  const [from, other] = run.holders().includes(run.destination.host.name)
    ? [run.destination, run.source]
    : [run.source, run.destination];
  const isArrivedOff = from === run.destination && world.observer.living(suspect.vm.uuid).length === 0;
  if (isArrivedOff) run.afterwards = () => startByHand(run);
  const supersede = from === run.source && random.below(2) === 0 ? { supersede: run.migrationId } : {};
  const to = random.one([other, stage.third]).host.name;
  try {
    await insist(async () => {
      const move = await plane.sealift.migrate({
        vm: suspect.vm.name,
        from: from.host.name,
        to,
        timings: quick,
        ...supersede,
      });
      const end = move.result().then(
        () => 'moved',
        (error: unknown) => String(error),
      );
      const soon = await Promise.race([end, sleep(random.below(8) * 1_000, 'under way')]);
      story.push(`second plane, to ${to}: ${soon}`);
      if (soon !== 'under way') return;
      run.afterwards = async () => {
        await take(plane.address);
        story.push(`second plane, late: ${await end}`);
        await take();
        await giveUpWhatIsOpen(run);
        if (isArrivedOff) await startByHand(run);
      };
    }, 10_000);
  } catch (error) {
    story.push(`second plane: ${String(error)}`);
  }
  await take();
}

/** Two planes may each have ended the other's run and begun another: whoever finds one open aborts it. */
async function giveUpWhatIsOpen(run: Run): Promise<void> {
  if (!run.isOpen()) return;
  const move = await run.stage.world.sealift.handle(run.suspect.vm.uuid);
  const { outcome } = await move.abort();
  run.story.push(`left open: ${outcome}`);
}

/** Whoever took the VM over before it was started found it off, and left it so. */
async function startByHand(run: Run): Promise<void> {
  const { world } = run.stage;
  const { name, uuid } = run.suspect.vm;
  const holder = world.up.hosts.find((at) => run.holders().includes(at.host.name));
  if (holder === undefined || world.observer.living(uuid).length > 0) return;
  const { exitCode } = await xl(holder, 'create', join(holder.host.lab.etcFolder, `${name}.cfg`));
  run.story.push(`started by hand on ${holder.host.name}: exit ${String(exitCode)}`);
}

/** Steps that change something, asked for again as they were, in any order: late, doubled, or by an orchestrator that lies. */
async function replaySteps({ stage, random, story }: Run, at: Reached): Promise<void> {
  const known = [...stage.earlierSteps, ...stage.steps].filter(
    ({ when, name, id, pid }) => when === 'before' && !questions.has(name) && !(id === at.id && pid === at.pid),
  );
  const chosen = Array.from({ length: Math.min(6, known.length) }, () => random.one(known));
  const answers = await Promise.all(
    chosen.map(async ({ name, host, facts }) => {
      const { ask } = facts as { ask: unknown[] };
      try {
        await stage.temporal.activity.execute(name, {
          id: `replay/${String(Math.random())}`,
          taskQueue: `host.${host}`,
          args: ask,
          scheduleToStartTimeout: 2_000,
          scheduleToCloseTimeout: 4_000,
          heartbeatTimeout: 2_000,
          retry: { maximumAttempts: 1 },
        });
        return `${name} done`;
      } catch (error) {
        const { cause } = error as { cause?: { type?: string; message?: string } };
        return `${name} ${cause?.type ?? cause?.message ?? 'failed'}`;
      }
    }),
  );
  story.push(`replayed: ${answers.join(', ')}`);
}

const questions = new Set(['hostCard', 'listVms', 'inspectVm', 'seeVm', 'listGarbage', 'findReceipts', 'runState']);
