import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { consoleLogs, saysOnConsole } from '../../activities/console.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sealift-console-'));
});
afterEach(() => rm(folder, { recursive: true }));

const text = 'web-1 login:';
const notSeen = { type: 'probe-failed', message: 'was not seen' };

test('what a guest has written before its start counts for nothing, and what comes later does, in however many pieces', async () => {
  const log = join(folder, 'guest-web-1.log');
  await writeFile(log, `${text} root\n`);
  const look = saysOnConsole(await consoleLogs(folder, 'web-1'), text);
  await expect(look()).rejects.toMatchObject(notSeen);
  await appendFile(log, `${'\u0000'.repeat(200_000)}web-1 lo`);
  await expect(look()).rejects.toMatchObject(notSeen);
  await appendFile(log, 'gin: ');
  expect(await look()).toBe('was seen');
});

test('a log that is not there yet, or begins anew, or has the name of a guest that came while it ran, is read from its begin', async () => {
  const log = join(folder, 'guest-web-1.log');
  await writeFile(log, 'the line before\n'.repeat(100));
  const logs = await consoleLogs(folder, 'web-1');
  const look = saysOnConsole(logs, text);
  await expect(look()).rejects.toMatchObject(notSeen);
  await writeFile(log, `${text} `);
  expect(await look()).toBe('was seen');
  await rm(log);
  const other = saysOnConsole(logs, text);
  await expect(other()).rejects.toMatchObject(notSeen);
  await writeFile(join(folder, 'guest-web-1--incoming.log'), `boots\n${text} `);
  expect(await other()).toBe('was seen');
});
