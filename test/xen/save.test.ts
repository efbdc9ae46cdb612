import { mkdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { setFault } from '../../infra/lab/lab-host.ts';
import { checkRecords } from '../../infra/lab/records.ts';
import { onlyDomain } from '../../xen/gone.ts';
import { isSavedImage } from '../../xen/saved-image.ts';
import type { Domain, Toolstack } from '../../xen/toolstack.ts';
import { xlToolstack } from '../../xen/xl.ts';
import { BenchHost, eventually } from '../lab/bench-host.ts';

const memoryBytes = 64 * 1024 * 1024;
let bench: BenchHost;
let toolstack: Toolstack;
let vm: Awaited<ReturnType<BenchHost['vm']>>;
let image: string;

beforeEach(async () => {
  bench = await BenchHost.make();
  toolstack = xlToolstack({ command: bench.host.xl, env: bench.host.env });
  vm = await bench.vm('web');
  await toolstack.create(vm.configPath);
  await mkdir(join(bench.folder, 'memory'));
  image = join(bench.folder, 'memory', 'memory.raw');
  await writeFile(image, '');
});
afterEach(() => bench.end());

async function domain(): Promise<Domain> {
  const found = onlyDomain(await toolstack.list());
  if (found === null) throw new Error('no domain is there');
  return found;
}

const last = async (): Promise<number> => (await checkRecords(vm.dataDisk)).last;

async function expectOneBoot(): Promise<void> {
  const before = await last();
  await eventually('the guest writes on', async () => (await last()) > before);
  const { boots, problems } = await checkRecords(vm.dataDisk);
  expect(problems).toEqual([]);
  expect(boots.at(-1)?.boot).toBe(1);
}

test('a saved guest stays paused until it is destroyed, and goes on where it was from its image', async () => {
  await toolstack.save(await domain(), { image, memoryBytes });
  expect(await domain()).toMatchObject({ state: 'paused', shutdownReason: null });
  const saved = await last();
  expect(await isSavedImage(image)).toBe(true);
  await truncate(image, memoryBytes);
  await toolstack.destroy(await domain());
  expect(await last()).toBe(saved);

  // The configuration that is given counts, not the one in the image.
  const config = join(bench.folder, 'memory', 'web.cfg');
  await writeFile(config, `${await readFile(vm.configPath, 'utf8')}on_reboot = "preserve"\n`);
  expect(await toolstack.restore(config, { image, memoryBytes })).toBe(true);
  expect(await domain()).toMatchObject({ state: 'paused', cpuSeconds: 0 });
  expect((await toolstack.runningConfigs()).at(-1)?.config).toMatchObject({ on_reboot: 'preserve' });
  expect(await last()).toBe(saved);
  await toolstack.unpause(await domain());
  await expectOneBoot();
  expect(await toolstack.restore(config, { image, memoryBytes })).toBe(false);
});

test('a guest that was saved and not destroyed can be let go on', async () => {
  await toolstack.save(await domain(), { image, memoryBytes });
  await toolstack.unpause(await domain());
  await expectOneBoot();
});

test('a guest that is not saved runs on', async () => {
  setFault(bench.host.root, { refuse: 'save' });
  await expect(toolstack.save(await domain(), { image, memoryBytes })).rejects.toMatchObject({ type: 'xl-failed' });
  expect(await isSavedImage(image)).toBe(false);
  await expectOneBoot();
});

test('a domain that a killed restore left paused is restored again', async () => {
  await toolstack.save(await domain(), { image, memoryBytes });
  await toolstack.destroy(await domain());
  setFault(bench.host.root, { killInMiddle: 'restore', times: 1 });
  const restore = (): Promise<boolean> => toolstack.restore(vm.configPath, { image, memoryBytes });
  await expect(restore()).rejects.toMatchObject({ type: 'xl-failed' });
  const half = await domain();
  expect(await restore()).toBe(true);
  expect((await domain()).domid).toBeGreaterThan(half.domid);
  await toolstack.unpause(await domain());
  await expectOneBoot();
});
