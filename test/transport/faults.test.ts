import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { chunkBytes } from '../../domain/chunks.ts';
import type { LandingLog } from '../../transport/landing.ts';
import { startProxy } from './proxy.ts';
import type { Frame, Proxy } from './proxy.ts';
import {
  differing,
  landedPath,
  makeWorld,
  openLanding,
  openSender,
  placeOf,
  quiet,
  removeWorld,
  sourcePath,
} from './world.ts';
import type { OpenLanding, World } from './world.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const chunks = 8;

async function setUp(): Promise<{ world: World; there: OpenLanding; proxy: Proxy; troubles: string[] }> {
  const world = await makeWorld([{ sizeBytes: chunks * chunkBytes, zeroChunks: [5] }]);
  closing.push(() => removeWorld(world));
  const troubles: string[] = [];
  const log: LandingLog = {
    ...quiet,
    warn: (fields) => {
      troubles.push(JSON.stringify(fields));
    },
  };
  const there = await openLanding(world, { log, threads: 2 });
  closing.push(there.close);
  const proxy = await startProxy(there.landing.port);
  closing.push(proxy.close);
  return { world, there, proxy, troubles };
}

async function expectCopied(world: World, there: OpenLanding): Promise<void> {
  expect((await there.landing.readBack(placeOf(world))).missing).toEqual([]);
  expect(await differing(world)).toEqual([]);
}

/** Does `act` to the first chunk with a body from the `at`th that goes through, once. */
function atChunk(proxy: Proxy, at: number, act: (frame: Frame) => Buffer[]): void {
  let done = false;
  proxy.onFrame = (frame) => {
    if (done || frame.kind !== 'chunk' || frame.bytes.length < chunkBytes || proxy.chunks < at) return [frame.bytes];
    done = true;
    return act(frame);
  };
}

describe('a stream costs only its own chunks', () => {
  test('when all streams are cut in the middle of a chunk', async () => {
    const { world, there, proxy } = await setUp();
    atChunk(proxy, 4, (frame) => {
      setImmediate(proxy.cut);
      return [frame.bytes.subarray(0, chunkBytes / 2)];
    });
    const sender = await openSender(world, 1, proxy.port);
    closing.push(sender.close);
    const { summary } = await sender.job.done;
    expect(summary.retries).toBeGreaterThan(0);
    expect(sender.job.progress().trouble).toContain('landing');
    await expectCopied(world, there);
  });

  test.each(['both', 'forth'] as const)('when they stall, open: %s', async (what) => {
    const { world, there, proxy } = await setUp();
    atChunk(proxy, 4, () => {
      proxy.stall(what);
      return [];
    });
    const sender = await openSender(world, 1, proxy.port, { stallMs: 600 });
    closing.push(sender.close);
    const { summary } = await sender.job.done;
    expect(summary.retries).toBeGreaterThan(0);
    await expectCopied(world, there);
  });

  test('when a bit flips on the way, which is seen before anything is written', async () => {
    const { world, there, proxy, troubles } = await setUp();
    atChunk(proxy, 3, ({ bytes }) => {
      const flipped = Buffer.from(bytes);
      flipped.writeUInt8(flipped.readUInt8(100_000) ^ 4, 100_000);
      return [flipped];
    });
    const sender = await openSender(world, 1, proxy.port);
    closing.push(sender.close);
    await sender.job.done;
    expect(troubles.join('\n')).toContain('tag-mismatch');
    await expectCopied(world, there);
  });
});

describe('records of somebody on the way', () => {
  test('are let in once when they come twice, on their own stream and on another', async () => {
    const { world, there, proxy } = await setUp();
    let kept: Buffer | null = null;
    let replayed = 0;
    proxy.onFrame = (frame) => {
      if (frame.kind !== 'chunk') return [frame.bytes];
      const again = kept;
      kept = Buffer.from(frame.bytes);
      replayed += 1;
      return again === null ? [frame.bytes, frame.bytes] : [again, frame.bytes, frame.bytes];
    };
    const sender = await openSender(world, 1, proxy.port);
    closing.push(sender.close);
    const { summary } = await sender.job.done;
    expect(replayed).toBeGreaterThanOrEqual(chunks);
    expect(summary.plainBytes).toBe(chunks * chunkBytes);
    expect(summary.retries).toBe(0);
    await expectCopied(world, there);
  });

  test('end the stream when they are control frames, repeated or left out', async () => {
    const { world, there, proxy, troubles } = await setUp();
    let repeated = 0;
    proxy.onFrame = (frame) => {
      if (frame.kind !== 'control' || repeated === 3) return [frame.bytes];
      repeated += 1;
      return repeated === 3 ? [] : [frame.bytes, frame.bytes];
    };
    const sender = await openSender(world, 1, proxy.port);
    closing.push(sender.close);
    await sender.job.done;
    expect(troubles.join('\n')).toContain('tag-mismatch');
    await expectCopied(world, there);
  });

  test('of an earlier session mean nothing in a later one', async () => {
    const { world, there, proxy, troubles } = await setUp();
    let old: Buffer | null = null;
    atChunk(proxy, 2, (frame) => {
      old = Buffer.from(frame.bytes);
      return [frame.bytes];
    });
    const first = await openSender(world, 1, proxy.port);
    closing.push(first.close);
    await first.job.done;
    // The later session finds other content at the source and so sends it.
    const other = await makeWorld([{ sizeBytes: chunks * chunkBytes }]);
    closing.push(() => removeWorld(other));
    proxy.chunks = 0;
    atChunk(proxy, 2, (frame) => [old ?? randomBytes(1), frame.bytes]);
    const second = await openSender({ ...world, folder: other.folder }, 2, proxy.port);
    closing.push(second.close);
    await second.job.done;
    expect(troubles.join('\n')).toContain('tag-mismatch');
    expect((await there.landing.readBack(placeOf(world))).missing).toEqual([]);
    const [landed, source] = [landedPath(world.folder, 'xvda'), sourcePath(other.folder, 'xvda')];
    expect((await readFile(landed)).equals(await readFile(source))).toBe(true);
  });
});
