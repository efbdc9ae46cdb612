import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { clearFaults, setFault } from '../../infra/lab/lab-host.ts';
import { checkRecords } from '../../infra/lab/records.ts';
import { BenchHost, eventually } from './bench-host.ts';

let bench: BenchHost;

beforeEach(async () => {
  bench = await BenchHost.make();
});

afterEach(async () => {
  await bench.end();
});

async function started(name: string, config = ''): Promise<{ configPath: string; dataDisk: string }> {
  const vm = await bench.vm(name, config);
  expect((await bench.xl('create', vm.configPath)).exitCode).toBe(0);
  return vm;
}

describe('a guest', () => {
  test('ignores a shutdown as often as asked', async () => {
    const { dataDisk } = await started('web');
    setFault(bench.host.root, { vm: 'web', ignoreShutdown: true, times: 1 });
    expect((await bench.xl('shutdown', 'web')).exitCode).toBe(0);
    const { last } = await checkRecords(dataDisk);
    await eventually('it writes on', async () => (await checkRecords(dataDisk)).last > last + 20);
    expect((await bench.list()).web?.state).toBe('-b----');
    expect((await bench.xl('shutdown', '-w', '-w', 'web')).exitCode).toBe(0);
    expect(await bench.list()).not.toHaveProperty('web');
  });

  test('takes its time', async () => {
    await started('web');
    setFault(bench.host.root, { slowShutdownMs: 700 });
    const begin = performance.now();
    await bench.xl('shutdown', '-w', '-w', 'web');
    expect(performance.now() - begin).toBeGreaterThan(700);
  });

  test('reboots instead of halting, and is back under a new domid', async () => {
    await started('web');
    setFault(bench.host.root, { rebootInsteadOfHalt: true, times: 1 });
    await bench.xl('shutdown', '-w', '-w', 'web');
    await eventually('domain 2', async () => (await bench.list()).web?.domid === 2);
  });

  test('crashes instead of halting, and on_crash decides', async () => {
    await started('web', 'on_crash = "preserve"');
    setFault(bench.host.root, { crashInsteadOfHalt: true });
    await bench.xl('shutdown', '-w', 'web');
    expect((await bench.list()).web?.state).toBe('---sc-');
  });

  test('meets a disk error at boot, or while it writes', async () => {
    const vm = await bench.vm('web');
    setFault(bench.host.root, { diskError: 'open', times: 1 });
    const { exitCode, stderr } = await bench.xl('create', vm.configPath);
    expect([exitCode, stderr]).toEqual([3, expect.stringContaining('unable to add disk devices')]);
    await bench.xl('create', vm.configPath);
    setFault(bench.host.root, { diskError: 'write', times: 1 });
    await eventually('no more writes', async () => {
      const { last } = await checkRecords(vm.dataDisk);
      await bench.xl('list');
      return (await checkRecords(vm.dataDisk)).last === last;
    });
    expect((await bench.list()).web?.state).toBe('-b----');
  });
});

describe('an xl', () => {
  test('fails after it has succeeded', async () => {
    const vm = await bench.vm('web');
    setFault(bench.host.root, { failAfterSuccess: 'create', times: 1 });
    expect((await bench.xl('create', vm.configPath)).exitCode).toBe(1);
    expect((await bench.list()).web?.state).toBe('-b----');
    setFault(bench.host.root, { vm: 'web', failAfterSuccess: 'destroy' });
    expect((await bench.xl('destroy', 'web')).exitCode).toBe(1);
    expect(await bench.list()).not.toHaveProperty('web');
  });

  test('is killed in the middle: a domain is left half built, half destroyed, half saved', async () => {
    const vm = await bench.vm('web');
    setFault(bench.host.root, { killInMiddle: 'create', times: 1 });
    expect((await bench.xl('create', vm.configPath)).exitCode).not.toBe(0);
    await eventually('paused', async () => (await bench.list()).web?.state === '--p---');
    expect((await checkRecords(vm.dataDisk)).last).toBe(0);
    setFault(bench.host.root, { killInMiddle: 'destroy', times: 1 });
    await bench.xl('destroy', 'web');
    expect((await bench.list()).web?.state).toBe('--p---');
    expect((await bench.xl('destroy', 'web')).exitCode).toBe(0);
    await bench.xl('create', vm.configPath);
    const image = join(bench.folder, 'web.save');
    setFault(bench.host.root, { killInMiddle: 'save', times: 1 });
    await bench.xl('save', 'web', image);
    expect(existsSync(image)).toBe(true);
    expect((await bench.list()).web?.state).toBe('---ss-');
    await bench.xl('destroy', 'web');
    expect((await bench.xl('restore', image)).exitCode).toBe(1);
  });

  test('hangs, for ever or for a time, and does its work then', async () => {
    const vm = await bench.vm('web');
    setFault(bench.host.root, { hang: 'list', times: 1 });
    const hung = await execa(bench.host.xl, ['list'], { env: bench.host.env, reject: false, timeout: 1_500 });
    expect([hung.timedOut, hung.stdout]).toEqual([true, '']);
    setFault(bench.host.root, { hang: 'create', hangMs: 300 });
    expect((await bench.xl('create', vm.configPath)).exitCode).toBe(0);
    clearFaults(bench.host.root);
    expect((await bench.list()).web?.state).toBe('-b----');
  });
});
