import type { MigrationInput } from '../../domain/migration.ts';
import type { Receipt, ReceiptBody } from '../../domain/receipt.ts';
import type { HostCard } from '../../domain/survey.ts';
import { untilDone } from '../on-host.ts';
import type { Outcomes } from '../state.ts';
import { enter, leave } from '../task.ts';
import type { Task } from '../task.ts';
import { recall } from './start.ts';

/** Writes the receipt down and has it signed: the destination adds what only it knows, the source countersigns, both keep it. */
export async function writeReceipt(
  task: Task,
  input: MigrationInput,
  start: Outcomes['start'],
  probe: Outcomes['probe'],
): Promise<Receipt> {
  const { vmName, from, to, migrationId } = input;
  enter(task, 'receipt');
  let receipt: Receipt = {
    body: await draft(task, input, start, probe),
    signatures: { source: null, destination: null },
  };
  for (const [host, summary] of [
    [to, `sign the receipt of ${vmName} on ${to}`],
    [from, `countersign the receipt of ${vmName} on ${from}`],
    [to, `keep the receipt of ${vmName} on ${to}`],
  ] as const) {
    receipt = await untilDone(task, host, 'signReceipt', { summary }, { migrationId, receipt });
  }
  leave(task, 'signed by both');
  return receipt;
}

async function draft(
  task: Task,
  input: MigrationInput,
  start: Outcomes['start'],
  probe: Outcomes['probe'],
): Promise<ReceiptBody> {
  const { state } = task;
  const { cede, stop } = await recall(task, input);
  const { sent } = state.outcomes;
  const source = await cardOf(task, input.from, state.outcomes.survey?.source.host);
  const destination = await cardOf(task, input.to, state.outcomes.survey?.destination.host);
  return {
    v: 1,
    migrationId: input.migrationId,
    lineage: cede.deed.body.lineage,
    token: cede.deed.body.token,
    vmUuid: input.vmUuid,
    vmName: input.vmName,
    method: input.method,
    source: { name: source.name, identity: source.identity },
    destination: { name: destination.name, identity: destination.identity },
    root: cede.root,
    // Sizes, digests and how they were read: the destination fills them in before it signs.
    disks: [],
    plainBytes: sent?.plainBytes ?? 0,
    wireBytes: state.wireBytes,
    retries: state.retries,
    phases: state.done.map(({ phase, at, ms }) => ({ phase, at, ms })),
    downMs: start.started && stop.wasRunning ? Math.max(0, start.at - stop.orderedAt) : null,
    changes: start.changes,
    concerns: state.concerns.map((one) => `${one.name}: ${one.text}`),
    approvedBy: state.orders.approvedBy,
    probe: probe.checks,
  };
}

/** From the survey, or, in a run that did not survey, from the host now. */
async function cardOf(task: Task, host: string, known: HostCard | undefined): Promise<HostCard> {
  return known ?? untilDone(task, host, 'hostCard', { summary: `ask ${host} for its identity` });
}
