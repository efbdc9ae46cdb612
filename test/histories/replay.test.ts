import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { execa } from 'execa';
import { scenarios } from './scenarios.ts';

test('every golden history replays, and one of another order does not', async () => {
  const script = fileURLToPath(new URL('replay.ts', import.meta.url));
  const { stdout } = await execa(process.execPath, [script], { timeout: 55_000 });
  const { reordered, ...results } = JSON.parse(stdout) as Record<string, string | null>;
  expect(results).toEqual(Object.fromEntries(Object.keys(scenarios).map((name) => [name, null])));
  expect(reordered).toMatch(/TMPRL1100|[Nn]ondeterminism/);
}, 60_000);
