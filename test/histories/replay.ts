// Replays every golden history, and one whose order was changed, and prints by name what went wrong: null when nothing did.
// A process of its own: the SDK replays in the main thread, and its promise hooks stay there for whatever runs after it.
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { workflowBundle } from '../../workers/bundle.ts';
import { testCache } from '../support/cache.ts';

const folder = fileURLToPath(new URL('.', import.meta.url));

Runtime.install({
  logger: new DefaultLogger('ERROR', () => undefined),
  telemetryOptions: { logging: { forward: {}, filter: { core: 'ERROR', other: 'ERROR' } } },
  shutdownSignals: [],
});
const codePath = await workflowBundle(testCache);
const results: Record<string, string | null> = {};
for (const file of (await readdir(folder)).filter((name) => name.endsWith('.json'))) {
  const name = file.slice(0, -'.json'.length);
  results[name] = await replay(await golden(name));
}
results.reordered = await replay(await reordered());
process.stdout.write(`${JSON.stringify(results)}\n`);
await Runtime.instance().shutdown();

type History = ReturnType<typeof historyFromJSON>;

async function replay(history: History): Promise<string | null> {
  return Worker.runReplayHistory({ workflowBundle: { codePath } }, history).then(
    () => null,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
}

async function golden(name: string): Promise<History> {
  return historyFromJSON(JSON.parse(await readFile(`${folder}${name}.json`, 'utf8')));
}

async function reordered(): Promise<History> {
  const history = await golden('migrate-sealed');
  for (const event of history.events ?? []) {
    const type = event.activityTaskScheduledEventAttributes?.activityType;
    if (type?.name === 'fenceVm') type.name = 'startVm';
  }
  return history;
}
