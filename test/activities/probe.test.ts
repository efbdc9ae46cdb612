import { mkdir, mkdtemp, open, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, test } from '@jest/globals';
import { probe } from '../../activities/probe.ts';
import { hidePaths } from '../../domain/plain-text.ts';
import { deviceName } from '../../storage/disk-shape.ts';
import type { Toolstack } from '../../xen/toolstack.ts';
import { attach, canLoop, detach, needsLoops, privateLoop } from '../support/loops.ts';

const vm = {
  vmName: 'web-1',
  vmUuid: '6f1f7d1c-6d0b-4c3e-9b62-0d3f1c1f2a10',
  diskPaths: ['/srv/vm/secret-disk.raw'],
  netFolder: '/nowhere',
  consoles: [],
};
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
      detail: 'ended by a signal',
    });
    expect(await check('command ask', { ask: ['/nowhere/argument-secret'] })).toMatchObject({
      detail: 'could not be run',
    });
  });

  test('names no folder of a disk', async () => {
    expect(await check('disk-writes', {})).toMatchObject({
      passed: false,
      detail: expect.not.stringContaining('/srv'),
    });
  });
});

// Found on real Xen: whoever moved a VM to a volume was told that its guest writes nothing.
(canLoop ? test : test.skip)(`a write to a device that leaves its node alone is seen ${needsLoops}`, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sealift-probe-'));
  const device = privateLoop();
  try {
    const file = join(folder, 'disk');
    await writeFile(file, '');
    await truncate(file, 1024 * 1024);
    await attach(device, file);
    const { rdev } = await stat(device, { bigint: true });
    // As the kernel's own writers do, it goes by another node of the device.
    const other = join(folder, 'other');
    await execa('mknod', [other, 'b', ...deviceName(rdev).split(':')]);
    const guest = await open(other, 'r+');
    let running = true;
    const write = async (): Promise<void> => {
      await guest.write('x', 0);
      await guest.sync();
      if (running) await write();
    };
    const writing = write();
    try {
      const toolstack = { list: () => Promise.resolve([]) } as unknown as Toolstack;
      const how = { plain: hidePaths, signal: new AbortController().signal };
      const asked = { ...vm, diskPaths: [device], commands: {} };
      const found = await probe(toolstack, asked, { limitMs: 2_000, diskWrites: true }, how);
      expect(found.find(({ check }) => check === 'disk-writes')).toMatchObject({ passed: true });
    } finally {
      // Its last write ends before its file does.
      running = false;
      await writing;
      await guest.close();
    }
  } finally {
    await detach(device);
    await rm(folder, { recursive: true });
  }
});

test('a guest is seen to send by what dom0 has got from any of its vifs', async () => {
  const netFolder = await mkdtemp(join(tmpdir(), 'sealift-net-'));
  const count = async (vif: string, frames: number): Promise<void> => {
    await mkdir(join(netFolder, vif, 'statistics'), { recursive: true });
    await writeFile(join(netFolder, vif, 'statistics/rx_packets'), `${String(frames)}\n`);
  };
  const domain = { domid: 7, uuid: vm.vmUuid, name: vm.vmName, state: 'running' };
  const toolstack = { list: () => Promise.resolve([domain]) } as unknown as Toolstack;
  const how = { plain: hidePaths, signal: new AbortController().signal };
  const look = async (): Promise<unknown> => {
    const spec = { limitMs: 1, diskWrites: false, vifs: true } as const;
    const found = await probe(toolstack, { ...vm, netFolder, commands: {} }, spec, how);
    return found.find(({ check }) => check === 'vifs');
  };
  try {
    await count('vif71.0', 9);
    expect(await look()).toMatchObject({ passed: false, detail: 'nothing came from its 0 vifs' });
    await count('vif7.0', 0);
    await count('vif7.1', 0);
    expect(await look()).toMatchObject({ passed: false, detail: 'nothing came from its 2 vifs' });
    await count('vif7.1', 3);
    expect(await look()).toMatchObject({ passed: true, detail: '3 frames came from its vifs' });
  } finally {
    await rm(netFolder, { recursive: true });
  }
});
