import { afterEach, expect, test } from '@jest/globals';
import { chunkBytes } from '../../domain/chunks.ts';
import { startProxy } from './proxy.ts';
import type { Proxy } from './proxy.ts';
import { differing, makeWorld, openLanding, openSender, removeWorld, runOf, until } from './world.ts';
import type { OpenLanding, World } from './world.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const chunks = 4;

async function setUp(): Promise<{ world: World; there: OpenLanding; proxy: Proxy }> {
  const world = await makeWorld([{ sizeBytes: chunks * chunkBytes, sparse: true }]);
  closing.push(() => removeWorld(world));
  const there = await openLanding(world);
  closing.push(there.close);
  const proxy = await startProxy(there.landing.port);
  closing.push(proxy.close);
  return { world, there, proxy };
}

/** From the sender's plan on it hears nothing. Counts what it says after that. */
function deafen(proxy: Proxy): { controls: number } {
  const after = { controls: -1 };
  proxy.onFrame = ({ kind, bytes }) => {
    if (kind === 'control') {
      after.controls += 1;
      proxy.stall('back');
    }
    return [bytes];
  };
  return after;
}

test('chunks and manifest of a fresh run follow the plan, whatever the landing has said by then', async () => {
  const { world, there, proxy } = await setUp();
  const after = deafen(proxy);
  const sender = await openSender(world, 1, proxy.port, { streams: 1 });
  closing.push(sender.close);
  await until(() => proxy.chunks === chunks);
  await until(() => after.controls > 0 && there.landing.manifest(runOf(world)) !== null);
  expect(await differing(world)).toEqual([]);
  expect(sender.job.progress().disks[0]?.verifiedBytes).toBe(0);
});

test('where the landing holds chunks none is sent before it has told which', async () => {
  const { world, there, proxy } = await setUp();
  const first = await openSender(world, 1, there.landing.port);
  await first.job.done;
  await first.close();
  there.journal.drop(runOf(world), [{ disk: 0, index: 2 }]);
  const after = deafen(proxy);
  const second = await openSender(world, 2, proxy.port, { streams: 1, stallMs: 400 });
  closing.push(second.close);
  // Beats: it lives, and waits.
  await until(() => after.controls >= 3);
  expect(proxy.chunks).toBe(0);
  proxy.cut();
  proxy.onFrame = ({ bytes }) => [bytes];
  await second.job.done;
  expect(proxy.chunks).toBe(1);
});
