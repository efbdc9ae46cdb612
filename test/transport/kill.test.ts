import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { chunkBytes } from '../../domain/chunks.ts';
import { startProxy } from './proxy.ts';
import type { Proxy } from './proxy.ts';
import { differing, makeWorld, openLanding, openSender, placeOf, removeWorld } from './world.ts';
import type { World } from './world.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const chunks = 28;
const totalBytes = chunks * chunkBytes;
const mostAgainBytes = 64 * 1024 * 1024;
const side = join(import.meta.dirname, 'fixtures', 'side.ts');

async function makeBigWorld(): Promise<World> {
  const world = await makeWorld([{ sizeBytes: totalBytes, sparse: true }]);
  closing.push(() => removeWorld(world));
  return world;
}

/** Starts a side and returns it with what its first line says. */
async function start(...args: string[]): Promise<{ kill: () => Promise<void>; port: number }> {
  const child = execa(process.execPath, [side, ...args], { reject: false, stdin: 'ignore' });
  const kill = async () => {
    child.kill('SIGKILL');
    await child;
  };
  closing.push(kill);
  const { promise, resolve } = Promise.withResolvers<string>();
  child.stdout.once('data', (line: Buffer) => {
    resolve(String(line));
  });
  const { port } = JSON.parse(await promise) as { port: number };
  return { kill, port };
}

/** When so many chunks have come to the proxy; what comes after them is held back, for a machine may be faster than a kill. */
function atChunk(proxy: Proxy, at: number): Promise<void> {
  return new Promise((resolve) => {
    proxy.onFrame = ({ kind, bytes }) => {
      if (kind === 'chunk' && proxy.chunks === at) {
        proxy.stall('forth');
        proxy.onFrame = (frame) => [frame.bytes];
        resolve();
      }
      return [bytes];
    };
  });
}

describe('after SIGKILL in the middle', () => {
  test('a sender goes on in a new session and sends at most 64 MiB again', async () => {
    const world = await makeBigWorld();
    const there = await openLanding(world);
    closing.push(there.close);
    const proxy = await startProxy(there.landing.port);
    closing.push(proxy.close);
    const child = await start('sender', world.folder, '1', String(proxy.port));
    await atChunk(proxy, 20);
    await child.kill();
    const sender = await openSender(world, 2, proxy.port);
    closing.push(sender.close);
    const { summary } = await sender.job.done;
    expect(summary.plainBytes).toBe(totalBytes);
    expect(proxy.sentBytes).toBeLessThan(totalBytes + mostAgainBytes);
    expect((await there.landing.readBack(placeOf(world))).missing).toEqual([]);
    expect(await differing(world)).toEqual([]);
  });

  test('a landing goes on from its journal, and the same sender with it', async () => {
    const world = await makeBigWorld();
    const first = await start('landing', world.folder);
    const proxy = await startProxy(first.port);
    closing.push(proxy.close);
    const sender = await openSender(world, 1, proxy.port);
    closing.push(sender.close);
    await atChunk(proxy, 20);
    await first.kill();
    const there = await openLanding(world);
    closing.push(there.close);
    const acknowledged = sender.job.progress().disks[0]?.verifiedBytes ?? 0;
    // What was acknowledged had been in the journal before.
    expect(there.journal.totals(placeOf(world).run)[0]?.heldBytes).toBeGreaterThanOrEqual(acknowledged);
    proxy.farPort = there.landing.port;
    const { summary } = await sender.job.done;
    expect(summary.retries).toBeGreaterThan(0);
    expect(proxy.sentBytes).toBeLessThan(totalBytes + mostAgainBytes);
    expect((await there.landing.readBack(placeOf(world))).missing).toEqual([]);
    expect(await differing(world)).toEqual([]);
  });
});
