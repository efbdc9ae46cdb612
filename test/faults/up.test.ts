import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { connect } from '../../client/index.ts';
import { freePortOr } from '../../infra/free-port.ts';
import { prepareHost, writeHostFile } from '../../infra/stand-in-host.ts';
import { findServerBinary } from '../../infra/temporal/server-binary.ts';
import { testCache } from '../support/cache.ts';
import { processesOf } from '../support/processes.ts';

let folder: string;
let port: number;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sealift-up-'));
  port = await freePortOr(17_233, 1_000);
  process.env.SEALIFT_TEMPORAL_CLI ??= (await findServerBinary(testCache)).path;
}, 120_000);
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

test.each([
  ['Ctrl-C', 'SIGINT'],
  ['its terminal is closed', 'SIGHUP'],
] as const)(
  'sealift up runs the workers of hosts given by their files, until %s',
  async (_, signal) => {
    const plan = { name: 'one-1', site: 'here' };
    const host = await prepareHost(join(folder, 'hosts'), plan);
    await writeHostFile(host, plan, []);
    const up = sealiftUp(['--host', host.filePath], host.env);
    await line(up.stdout, 'up: Temporal at ');
    const sealift = await connect({ address: `127.0.0.1:${String(port)}` });
    expect(await sealift.vms('one-1')).toMatchObject({ vms: [], away: [] });
    await sealift.close();
    const ended = once(up, 'exit');
    up.kill(signal);
    expect(await ended).toEqual([0, null]);
    expect(await processesOf(folder)).toEqual([]);
  },
  90_000,
);

test('sealift up that is interrupted on the way takes down what it has brought up', async () => {
  const up = sealiftUp([]);
  await line(up.stderr, 'Temporal ');
  const ended = once(up, 'exit');
  up.kill('SIGINT');
  expect(await ended).toEqual([130, null]);
  expect(await processesOf(folder)).toEqual([]);
}, 90_000);

function sealiftUp(args: string[], env: Record<string, string> = {}): ChildProcessByStdio<null, Readable, Readable> {
  const cli = join(import.meta.dirname, '../../cli/sealift.ts');
  const all = [cli, 'up', '--data', join(folder, 'up'), '--port', String(port), ...args];
  return spawn(process.execPath, all, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
}

async function line(stream: Readable, start: string): Promise<void> {
  for await (const text of createInterface({ input: stream })) if (text.startsWith(start)) return;
  throw new Error(`ended without a line that starts with ${start}`);
}
