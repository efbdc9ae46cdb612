import { crossingDisks } from '../../domain/manifest.ts';
import type { MigrationInput } from '../../domain/migration.ts';
import { refusal } from '../failures.ts';
import { onHost } from '../on-host.ts';
import type { Ask } from '../on-host.ts';
import type { Outcomes } from '../state.ts';
import { enter, leave, step } from '../task.ts';
import type { Task } from '../task.ts';

/** After so many rounds of sending what READY misses, something is wrong that sending does not mend. */
const readyRounds = 5;

/** Carries the bytes across until the destination has read all of them back and signs READY. */
export async function carry(task: Task, input: MigrationInput): Promise<Outcomes['ready']> {
  const { state } = task;
  for (;;) {
    await crossOnce(task, input);
    const known = state.outcomes.ready;
    if (known !== undefined) return known;
    enter(task, 'ready');
    const { vmName, to, migrationId } = input;
    const answer = await onHost(task, to, 'makeReady', { summary: `read ${vmName} back on ${to}` }, { migrationId });
    if ('ready' in answer) {
      state.outcomes.ready = answer;
      state.root = answer.ready.body.root;
      reportWhole(task);
      leave(task, 'all read back');
      return answer;
    }
    state.readyRounds++;
    const missing = `${String(answer.missingChunks)} chunk${answer.missingChunks === 1 ? '' : 's'}`;
    leave(task, `${missing} to be sent again`);
    if (state.readyRounds >= readyRounds) {
      throw refusal(
        'manifest-mismatch',
        `${to} still misses ${missing} of ${vmName} after ${String(readyRounds)} rounds`,
      );
    }
    delete state.outcomes.sealed;
    delete state.outcomes.sent;
    delete state.outcomes.unsealed;
  }
}

async function crossOnce(task: Task, input: MigrationInput): Promise<void> {
  if (task.state.outcomes.ready !== undefined) return;
  task.live.moving = true;
  try {
    await remind(task, input);
    if (input.method === 'staged') await sendStaged(task, input);
    else await sendSealed(task, input);
  } finally {
    task.live.moving = false;
  }
}

/** What was ordered while there was no transfer. */
async function remind(task: Task, input: MigrationInput): Promise<void> {
  const { paused, limitBytesPerSecond } = task.state.orders;
  if ((paused === undefined && limitBytesPerSecond === undefined) || task.state.outcomes.sent !== undefined) return;
  const { vmName, from, migrationId } = input;
  const call = { summary: `steer the transfer of ${vmName} as ordered` };
  const order = {
    ...(paused === undefined ? {} : { paused }),
    ...(limitBytesPerSecond === undefined ? {} : { limitBytesPerSecond }),
  };
  await onHost(task, from, 'steerTransfer', call, { migrationId, ...order });
}

async function sendSealed(task: Task, input: MigrationInput): Promise<void> {
  const { vmName, from, to, migrationId, streams } = input;
  const { key, destination } = ends(task);
  await step(task, 'sent', 'move', async (note) => {
    const sent = await onHost(
      task,
      from,
      'sendDisks',
      {
        summary: `send ${vmName} from ${from} to ${to}`,
        // Nothing of a tunnel outlives a failure: each try has one of its own.
        ...(input.method === 'tunnel' ? { quietTries: 1, before: () => raiseTunnel(task, input) } : {}),
      },
      {
        migrationId,
        key,
        destination,
        roundTripMs: task.state.outcomes.survey?.link.rttMs,
        streams,
        limitBytesPerSecond: limit(task, input),
        round: task.state.readyRounds,
      },
    );
    count(task, sent.wireBytes, sent.retries);
    note(`${String(sent.streams)} streams`);
    return sent;
  });
}

async function raiseTunnel(task: Task, input: MigrationInput): Promise<void> {
  const { from, to, migrationId } = input;
  const { destination } = ends(task);
  const offer = { summary: `draw a key for the tunnel from ${from} to ${to}` };
  const { tunnel: offered } = await onHost(task, from, 'offerTunnel', offer, { migrationId });
  if (offered === null) return;
  const join = { summary: `make ${to} ready for a tunnel from ${from}` };
  const { tunnel } = await onHost(task, to, 'joinTunnel', join, { migrationId, tunnel: offered });
  const raise = { summary: `raise the tunnel from ${from} to ${to}`, attempts: 1 };
  await onHost(task, from, 'raiseTunnel', raise, { migrationId, tunnel, destination });
}

async function sendStaged(task: Task, input: MigrationInput): Promise<void> {
  const { vmName, from, to, migrationId } = input;
  const { key } = ends(task);
  await step(task, 'sealed', 'move', () =>
    onHost(task, from, 'sealContainer', { summary: `seal ${vmName} into a file on ${from}` }, { migrationId, key }),
  );
  await step(task, 'sent', 'move', async () => {
    const summary = `copy the file of ${vmName} from ${from} to ${to}`;
    const ask = { migrationId, limitBytesPerSecond: limit(task, input) };
    const sent = await onHost(task, from, 'sendContainer', { summary }, ask);
    count(task, sent.wireBytes, sent.retries);
    return sent;
  });
  await step(task, 'unsealed', 'move', () =>
    onHost(task, to, 'openContainer', { summary: `open the file of ${vmName} on ${to}` }, { migrationId }),
  );
}

/** Where a guest's memory goes, when it is not shut down. */
export async function handOver(task: Task, input: MigrationInput): Promise<NonNullable<Ask<'stopVm'>[0]['handOver']>> {
  await remind(task, input);
  return { ...ends(task), limitBytesPerSecond: limit(task, input) };
}

function ends(task: Task): { key: Outcomes['receive']['key']; destination: Outcomes['survey']['destination']['host'] } {
  const { receive, survey } = task.state.outcomes;
  if (receive === undefined || survey === undefined)
    throw refusal('internal', 'bytes cannot cross before the run is received');
  return { key: receive.key, destination: survey.destination.host };
}

function limit(task: Task, input: MigrationInput): number | undefined {
  const { limitBytesPerSecond } = task.state.orders;
  return limitBytesPerSecond === undefined ? input.limitBytesPerSecond : (limitBytesPerSecond ?? undefined);
}

function count(task: Task, wireBytes: number, retries: number): void {
  task.state.wireBytes += wireBytes;
  task.state.retries += retries;
}

/** After READY every byte is verified and durable, whatever the last heartbeat said. */
function reportWhole(task: Task): void {
  const { state } = task;
  const { survey, sent, fence } = state.outcomes;
  if (survey === undefined || sent === undefined) return;
  const disks = crossingDisks(survey.source.disks).map(({ vdev, sizeBytes }) => ({
    vdev,
    verifiedBytes: sizeBytes,
    totalBytes: sizeBytes,
  }));
  const seconds = Math.max(0.001, (Date.now() - (fence?.at ?? Date.now())) / 1000);
  state.progress = {
    step: 'read-back',
    disks,
    wireBytes: state.wireBytes,
    bytesPerSecond: sent.plainBytes / seconds,
    streams: sent.streams,
    retries: state.retries,
    paused: false,
    limitBytesPerSecond: null,
    trouble: null,
  };
}
