import { describe, expect, test } from '@jest/globals';
import { probe } from '../../activities/probe.ts';
import { hidePaths } from '../../domain/plain-text.ts';
import type { Toolstack } from '../../xen/toolstack.ts';

const vm = { vmName: 'web-1', vmUuid: '6f1f7d1c-6d0b-4c3e-9b62-0d3f1c1f2a10', diskPaths: ['/srv/vm/secret-disk.raw'] };
const node = process.execPath;

/** What the check of that name found, with commands of this host's file. */
async function check(name: string, commands: Record<string, string[]>, limitMs = 1): Promise<unknown> {
  const toolstack = { list: () => Promise.resolve([]) } as unknown as Toolstack;
  const command = Object.keys(commands)[0];
  const spec = { limitMs, diskWrites: true, ...(command === undefined ? {} : { command }) };
  const how = { plain: hidePaths, signal: new AbortController().signal };
  return (await probe(toolstack, { ...vm, commands }, spec, how)).find((one) => one.check === name);
}

describe('a probe that fails', () => {
  test('tells how its command ended, and neither its arguments nor what it wrote', async () => {
    const script = 'console.log("output-secret"); console.error("error-secret"); process.exit(3)';
    expect(await check('command ask', { ask: [node, '-e', script, 'argument-secret'] })).toEqual({
      check: 'command ask',
      passed: false,
      detail: 'exit 3',
    });
    expect(await check('command ask', { ask: [node, '-e', 'process.kill(process.pid, "SIGKILL")'] })).toMatchObject({
      detail: 'ended by SIGKILL',
    });
    expect(await check('command ask', { ask: ['/nowhere/argument-secret'] })).toMatchObject({
      detail: 'could not be run (ENOENT)',
    });
  });

  test('names no folder of a disk', async () => {
    expect(await check('disk-writes', {})).toMatchObject({
      passed: false,
      detail: expect.not.stringContaining('/srv'),
    });
  });
});
