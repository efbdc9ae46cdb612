import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { workflowBundle } from '../../workers/bundle.ts';
import { testCache } from '../support/temporal.ts';
import { scenarios } from './scenarios.ts';

const folder = fileURLToPath(new URL('.', import.meta.url));
let codePath = '';
beforeAll(async () => {
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { forward: {}, filter: { core: 'ERROR', other: 'ERROR' } } },
    shutdownSignals: [],
  });
  codePath = await workflowBundle(testCache);
}, 60_000);
afterAll(async () => {
  await Runtime.instance().shutdown();
});

test('every scenario has its golden history', async () => {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.json'));
  expect(files.sort()).toEqual(
    Object.keys(scenarios)
      .map((name) => `${name}.json`)
      .sort(),
  );
});

test.each(Object.keys(scenarios))('%s replays', async (name) => {
  await Worker.runReplayHistory({ workflowBundle: { codePath } }, await golden(name));
});

test('a history of another order does not replay', async () => {
  const history = await golden('migrate-sealed');
  for (const event of history.events ?? []) {
    const type = event.activityTaskScheduledEventAttributes?.activityType;
    if (type?.name === 'fenceVm') type.name = 'startVm';
  }
  await expect(Worker.runReplayHistory({ workflowBundle: { codePath } }, history)).rejects.toThrow(/TMPRL1100|[Nn]ondeterminism/);
});

async function golden(name: string): Promise<ReturnType<typeof historyFromJSON>> {
  return historyFromJSON(JSON.parse(await readFile(`${folder}${name}.json`, 'utf8')));
}
