import { afterEach, describe, expect, test } from '@jest/globals';
import { chunkBytes } from '../../domain/chunks.ts';
import { decodeManifest, manifestRoot } from '../../seal/manifest.ts';
import { differing, makeWorld, openLanding, openSender, placeOf, removeWorld, runOf } from './world.ts';
import type { World } from './world.ts';

const worlds: World[] = [];
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  for (const world of worlds.splice(0)) await removeWorld(world);
});

describe('a whole copy', () => {
  test('of which other digests are told is not there when it is read back', async () => {
    const world = await makeWorld([{ sizeBytes: 3 * chunkBytes, zeroChunks: [1] }]);
    worlds.push(world);
    const there = await openLanding(world);
    closing.push(there.close);
    const lying = new URL('./fixtures/lying-codec.ts', import.meta.url).href;
    const sender = await openSender(world, 1, there.landing.port, {}, lying);
    closing.push(sender.close);
    await sender.job.done;
    const { missing } = await there.landing.readBack(placeOf(world));
    expect(missing).toEqual([0, 2].map((index) => ({ disk: 0, index })));
    expect(await differing(world)).toEqual([]);
  });

  test('carries several disks with holes, odd tails and tiny sizes', async () => {
    const world = await makeWorld([
      { sizeBytes: 6 * chunkBytes + 12_800, zeroChunks: [1, 3] },
      { sizeBytes: 1024 * 1024 },
      { sizeBytes: 512 },
      { sizeBytes: 2 * chunkBytes, zeroChunks: [0, 1] },
      { sizeBytes: chunkBytes + 777 },
    ]);
    worlds.push(world);
    const there = await openLanding(world, { threads: 2 });
    closing.push(there.close);
    const sender = await openSender(world, 1, there.landing.port);
    closing.push(sender.close);
    const { root, summary } = await sender.job.done;
    await there.landing.drain(runOf(world));
    const { missing } = await there.landing.readBack(placeOf(world));
    expect(missing).toEqual([]);
    expect(await differing(world)).toEqual([]);
    const stored = there.landing.manifest(runOf(world));
    expect(stored && manifestRoot(decodeManifest(stored).manifest)).toBe(root);
    expect(summary.plainBytes).toBe(world.disks.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
    // Holes cross as records without a body.
    expect(summary.wireBytes).toBeLessThan(summary.plainBytes - 4 * chunkBytes + 64 * 1024);
    expect(summary.retries).toBe(0);
  });
});
