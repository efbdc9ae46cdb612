// Records the golden histories anew, after a change of the workflows that is meant to break replay of older ones:
//   node test/histories/record.ts
import { writeFile } from 'node:fs/promises';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { TestTemporal } from '../support/temporal.ts';
import { scenarios } from './scenarios.ts';

const temporal = await TestTemporal.start();
try {
  for (const [name, play] of Object.entries(scenarios)) {
    const workflowId = await play(temporal, await temporal.pair());
    const history = await temporal.client.workflow.getHandle(workflowId).fetchHistory();
    // Who ran it is no matter of the replay.
    const json: unknown = JSON.parse(historyToJSON(history), (key, value: unknown) => (key === 'identity' ? 'recorder' : value));
    await writeFile(new URL(`${name}.json`, import.meta.url), `${JSON.stringify(json, null, 1)}\n`);
    process.stdout.write(`${name}: ${String(history.events?.length)} events\n`);
  }
} finally {
  await temporal.stop();
}
