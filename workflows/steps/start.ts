import type { MigrationInput } from '../../domain/migration.ts';
import { refusal } from '../failures.ts';
import { onHost, untilDone } from '../on-host.ts';
import type { Outcomes } from '../state.ts';
import { step } from '../task.ts';
import type { Task } from '../task.ts';

/** The point of no return: the source signs the deed over. */
export async function cede(task: Task, input: MigrationInput, ready: Outcomes['ready']): Promise<Outcomes['cede']> {
  const { vmName, from, to, migrationId } = input;
  return step(task, 'cede', 'cede', async () => {
    const call = { summary: `sign the deed of ${vmName} over to ${to}` };
    const ceded = await onHost(task, from, 'cede', call, { migrationId, ready: ready.ready });
    task.state.root = ceded.root;
    return ceded;
  });
}

/**
 * What a reset workflow may not remember although its hosts do: READY, the deed and the power state. The hosts give them
 * again, since every step may run twice.
 */
export async function recall(task: Task, input: MigrationInput): Promise<Pick<Outcomes, 'cede' | 'stop'>> {
  const { vmName, from, to, migrationId } = input;
  const { outcomes } = task.state;
  if (outcomes.cede === undefined) {
    const ready = await untilDone(
      task,
      to,
      'makeReady',
      { summary: `ask ${to} for READY of ${vmName}` },
      { migrationId },
    );
    if (!('ready' in ready))
      throw refusal('unknown-state', `${to} has no READY of ${vmName}, whose deed ${from} has ceded`);
    const call = { summary: `ask ${from} for the deed of ${vmName}` };
    outcomes.cede = await untilDone(task, from, 'cede', call, { migrationId, ready: ready.ready });
    task.state.root = outcomes.cede.root;
    Object.assign(task.state, { lineage: outcomes.cede.deed.body.lineage, token: outcomes.cede.deed.body.token });
  }
  if (outcomes.stop === undefined) {
    const call = { summary: `ask ${from} for the power state of ${vmName}` };
    const stop = await untilDone(task, from, 'stopVm', call, { migrationId, graceMs: 0 });
    outcomes.stop = { wasRunning: stop.wasRunning, orderedAt: Date.now() };
  }
  return { cede: outcomes.cede, stop: outcomes.stop };
}

/** Takes the deed at the destination and starts the VM there, when it ran before. */
export async function startThere(task: Task, input: MigrationInput): Promise<Outcomes['start']> {
  const { vmName, to, migrationId } = input;
  const { cede: ceded, stop } = await recall(task, input);
  await step(task, 'accept', 'start', async () => {
    const call = { summary: `take the deed of ${vmName} on ${to}` };
    await untilDone(task, to, 'acceptDeed', call, { migrationId, deed: ceded.deed });
    return { at: Date.now() };
  });
  return step(task, 'start', 'start', async (note) => {
    const call = { summary: stop.wasRunning ? `start ${vmName} on ${to}` : `set ${vmName} up on ${to}` };
    const ask = { migrationId, start: stop.wasRunning };
    const { started, changes, memory } = await untilDone(task, to, 'startVm', call, ask);
    if (!started) note('not started: it was not running');
    if (memory !== undefined) note(memory === 'kept' ? 'with its memory' : 'anew: its memory could not be kept');
    return { started, changes, at: Date.now(), memory };
  });
}

/** Looks whether the VM lives. A probe that does not pass undoes nothing: it stands in the receipt and in the status. */
export async function probeThere(task: Task, input: MigrationInput, started: boolean): Promise<Outcomes['probe']> {
  const { vmName, to, migrationId, probe } = input;
  return step(task, 'probe', 'probe', async (note) => {
    if (!started) {
      note('the VM was not running');
      return { checks: [] };
    }
    const checks = await untilDone(
      task,
      to,
      'probeVm',
      { summary: `probe ${vmName} on ${to}` },
      { migrationId, probe },
    );
    const failed = checks.filter((one) => !one.passed);
    note(
      failed.length === 0
        ? checks.map((one) => one.check).join(', ')
        : failed.map((one) => `${one.check} failed`).join(', '),
    );
    if (failed.length > 0) {
      task.state.trouble = {
        type: 'probe-failed',
        message: `${vmName} was started on ${to} but ${failed.map((one) => `${one.check}: ${one.detail}`).join('; ')}`,
        hint: `look at it on ${to}; sealift revert ${vmName} brings it back`,
        aborted: false,
      };
    }
    return { checks };
  });
}
