import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { findServerBinary } from '../../infra/temporal/server-binary.ts';
import { testCache } from '../support/cache.ts';
import { processesOf } from '../support/processes.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sealift-demo-'));
  process.env.SEALIFT_TEMPORAL_CLI ??= (await findServerBinary(testCache)).path;
}, 120_000);
afterAll(async () => {
  // Fences leave immutable files behind.
  await execa('chattr', ['-R', '-i', folder], { reject: false });
  await rm(folder, { recursive: true, force: true });
});

test('the demonstration moves its VM and leaves nothing running; a second start finds the VM where it was', async () => {
  const first = await demonstrate();
  expect(first).toMatch(/web-1 runs on fra-1 since .* \(down /);
  expect(first).toMatch(/ {2}xvda {7}512 MiB, sha256:[0-9a-f]{12}…/);
  expect(first).toMatch(/Web UI: http:\/\/127\.0\.0\.1:\d+\/namespaces\/default\/workflows\?query=/);
  const second = await demonstrate();
  expect(second).not.toContain('sealift migrate');
  expect(second).toMatch(/web-1 +fra-1 +(running|stopped) /);
  expect(second).toMatch(/web-1 +lon-1 +stopped, fenced /);
}, 300_000);

/** Runs it without a terminal, as `npm start` does, and returns what it said. */
async function demonstrate(): Promise<string> {
  const demo = join(import.meta.dirname, '../../infra/demo/demo.ts');
  const run = spawn(process.execPath, [demo, '--data', folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [said, ended] = await Promise.all([text(run.stdout), once(run, 'exit')]);
  expect(ended).toEqual([0, null]);
  expect(await processesOf(folder)).toEqual([]);
  return said;
}
