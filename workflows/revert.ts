import { revertInput } from './contract.ts';
import type { RevertRequest, RevertResult } from './contract.ts';
import { parseInput, refusal } from './failures.ts';
import { answerStatus, takeAbort, takeGuestOrders } from './handlers.ts';
import { onHost, untilDone } from './on-host.ts';
import { throughPointOfNoReturn } from './point-of-no-return.ts';
import type { Outcomes, TaskState } from './state.ts';
import { quiet } from './steps/quiet.ts';
import { createTask, step } from './task.ts';
import type { Task } from './task.ts';

/** Takes a VM back to the host it came from; what it wrote since it moved stays behind on disks that are kept. */
export async function revertVm(request: RevertRequest, state?: TaskState): Promise<RevertResult> {
  const input = parseInput(revertInput, request);
  const { vmName, vmUuid, from, to } = input;
  if (input.confirm !== vmName) {
    throw refusal('confirmation-mismatch', `${JSON.stringify(input.confirm)} is not the name of the VM ${vmName}`);
  }
  const task = createTask({ kind: 'revert', method: 'sealed', ...input }, request, state);
  answerStatus(task);
  takeAbort(task);
  takeGuestOrders(task);
  return throughPointOfNoReturn(task, {
    before: async () => {
      const { migrationId } = await step(task, 'begin', 'open', async (note) => {
        const summary = `ask ${to} whether it keeps its copy of ${vmName}`;
        const { deed, migrationId } = await onHost(task, to, 'checkHold', { summary }, { vmUuid });
        task.state.returning = migrationId;
        const begun = await onHost(
          task,
          from,
          'beginReturn',
          { summary: `begin the return of ${vmName} on ${from}` },
          { vmUuid, to, deed },
        );
        note(begun.ranSince === null ? 'it never ran there' : `writes since ${begun.ranSince} stay behind`);
        return { migrationId: begun.migrationId, ranSince: begun.ranSince, wasRunning: begun.wasRunning };
      });
      await quiet(task, { host: from, migrationId });
      await giveBack(task, migrationId);
    },
    undo: { host: from, migrationId: () => task.state.returning, passed: ['returned'], landing: null },
    after: () => takeBack(task),
  });
}

/** The point of no return of a return. */
async function giveBack(task: Task, migrationId: string): Promise<Outcomes['giveBack']> {
  const { vmName, from, to } = task.about;
  return step(task, 'giveBack', 'cede', async () => {
    const { deed } = await onHost(task, from, 'giveBack', { summary: `give ${vmName} back to ${to}` }, { migrationId });
    task.state.lineage = deed.body.lineage;
    task.state.token = deed.body.token;
    return { deed, at: Date.now() };
  });
}

async function takeBack(task: Task): Promise<RevertResult> {
  const { vmName, vmUuid, from, to } = task.about;
  const { outcomes } = task.state;
  const begin = outcomes.begin;
  if (begin === undefined) throw refusal('internal', `the return of ${vmName} was never begun`);
  const { deed, at } = outcomes.giveBack ?? (await recallDeed(task, begin.migrationId));
  const { migrationId } = await step(task, 'takeBack', 'start', () =>
    untilDone(task, to, 'takeBack', { summary: `take ${vmName} back on ${to}` }, { deed }),
  );
  const wasRunning = begin.wasRunning || outcomes.stop?.wasRunning === true || (await ranHere(task, migrationId));
  const { started } = await step(task, 'start', 'start', async () => {
    const call = { summary: wasRunning ? `start ${vmName} on ${to}` : `set ${vmName} up on ${to}` };
    return { ...(await untilDone(task, to, 'startVm', call, { migrationId, start: wasRunning })), at: Date.now() };
  });
  const until = new Date(outcomes.fence?.at ?? at).toISOString();
  return {
    vmUuid,
    vmName,
    host: to,
    started,
    leftBehind: begin.ranSince === null ? null : { host: from, since: begin.ranSince, until },
  };
}

/** A VM that the move brought over but that never ran there is put back into the state that it had here. */
async function ranHere(task: Task, migrationId: string): Promise<boolean> {
  const { vmName, to } = task.about;
  const { begin, start } = task.state.outcomes;
  if (begin?.ranSince != null || start !== undefined) return false;
  const call = { summary: `ask ${to} for the power state of ${vmName}` };
  return (await untilDone(task, to, 'stopVm', call, { migrationId, graceMs: 0 })).wasRunning;
}

async function recallDeed(task: Task, migrationId: string): Promise<Outcomes['giveBack']> {
  const { vmName, from } = task.about;
  const call = { summary: `ask ${from} for the deed of ${vmName}` };
  const { deed } = await untilDone(task, from, 'giveBack', call, { migrationId });
  return (task.state.outcomes.giveBack = { deed, at: Date.now() });
}
