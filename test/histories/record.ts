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
    const json: unknown = JSON.parse(historyToJSON(history), impersonal);
    await writeFile(new URL(`${name}.json`, import.meta.url), `${JSON.stringify(json, null, 1)}\n`);
    process.stdout.write(`${name}: ${String(history.events?.length)} events\n`);
  }
} finally {
  await temporal.stop();
}

/** Who ran it, and where the sources lie, is no matter of a replay. */
function impersonal(key: string, value: unknown): unknown {
  if (key === 'identity') return 'recorder';
  return key === 'stackTrace' ? '' : value;
}
