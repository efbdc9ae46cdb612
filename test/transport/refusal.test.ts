import { randomBytes } from 'node:crypto';
import { rename, symlink, unlink, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { chunkBytes } from '../../domain/chunks.ts';
import { measureRoundTrip } from '../../transport/sender.ts';
import {
  authorize,
  differing,
  landedPath,
  makeWorld,
  newSession,
  openLanding,
  openSender,
  placeOf,
  removeWorld,
  runOf,
  until,
} from './world.ts';
import type { OpenLanding, World } from './world.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function setUp(chunks: number): Promise<{ world: World; there: OpenLanding }> {
  const world = await makeWorld([{ sizeBytes: chunks * chunkBytes, sparse: true }]);
  closing.push(() => removeWorld(world));
  const there = await openLanding(world);
  closing.push(there.close);
  return { world, there };
}

async function send(...args: Parameters<typeof openSender>): Promise<Awaited<ReturnType<typeof openSender>>['job']> {
  const sender = await openSender(...args);
  closing.push(sender.close);
  return sender.job;
}

describe('a landing that listens inside a tunnel', () => {
  // Any address of this machine's own is as good as one of a tunnel.
  const inside = '127.0.0.9';

  test('takes a run by tunnel there, and nowhere else', async () => {
    const world = await makeWorld([{ sizeBytes: 2 * chunkBytes, sparse: false }]);
    closing.push(() => removeWorld(world));
    const there = await openLanding(world, {
      authorize: async (session) => ({ ...(await authorize(world, session)), inside }),
    });
    closing.push(there.close);
    const { port } = there.landing;
    await expect((await send(world, 1, port)).done).rejects.toMatchObject({ type: 'tunnel-leaks' });
    await there.landing.openInside(inside);
    // Once more changes nothing.
    await there.landing.openInside(inside);
    await expect((await send(world, 2, port)).done).rejects.toMatchObject({ type: 'tunnel-leaks' });
    await (
      await send(world, 3, port, { landing: { address: inside, port, from: '127.0.0.8' } })
    ).done;
    expect(await differing(world)).toEqual([]);
    await there.landing.closeInside(inside);
    await expect(measureRoundTrip({ address: inside, port })).rejects.toMatchObject({ type: 'landing-away' });
  });

  test('says so when it cannot', async () => {
    const { there } = await setUp(1);
    await expect(there.landing.openInside('192.0.2.1')).rejects.toMatchObject({ type: 'tunnel-unready' });
  });
});

describe('chunks in the clear', () => {
  test('are taken in a session that only tags, and in no other', async () => {
    const world = await makeWorld([{ sizeBytes: 3 * chunkBytes, sparse: false }]);
    closing.push(() => removeWorld(world));
    const there = await openLanding(world);
    closing.push(there.close);
    const { session, keys } = await newSession(world, 1);
    const clear = { session, keys: { ...keys, clear: true }, connectLimitMs: 300 };
    await expect((await send(world, 1, there.landing.port, clear)).done).rejects.toMatchObject({
      type: 'landing-away',
    });
    expect(await differing(world)).not.toEqual([]);
    await there.close();
    const tagging = await openLanding(world, {
      authorize: async (shown) => {
        const run = await authorize(world, shown);
        return { ...run, keys: { ...run.keys, clear: true } };
      },
    });
    closing.push(tagging.close);
    const again = await newSession(world, 2);
    await (
      await send(world, 2, tagging.landing.port, { ...again, keys: { ...again.keys, clear: true } })
    ).done;
    expect(await differing(world)).toEqual([]);
  });
});

describe('sessions', () => {
  test('a newer one closes the older, and the older one is refused from then on', async () => {
    const { world, there } = await setUp(12);
    const older = await send(world, 1, there.landing.port, { paused: true });
    await until(() => older.progress().streams > 0);
    const newer = await send(world, 2, there.landing.port);
    await expect(older.done).rejects.toMatchObject({ type: 'stale-session' });
    await newer.done;
    const late = await send(world, 1, there.landing.port);
    await expect(late.done).rejects.toMatchObject({ type: 'stale-session' });
    expect(await differing(world)).toEqual([]);
  });

  test('another key, another run and a second session of the same number are refused', async () => {
    const { world, there } = await setUp(1);
    const { port } = there.landing;
    const other = await newSession(world, 1);
    const wrongKey = await send(world, 1, port, {
      keys: { ...other.keys, key: randomBytes(32) },
      session: other.session,
    });
    await expect(wrongKey.done).rejects.toMatchObject({ type: 'tag-mismatch' });
    const wrongRun = await send({ ...world, token: 2 }, 1, port);
    await expect(wrongRun.done).rejects.toMatchObject({ type: 'unknown-run' });
    const twin = await send(world, 1, port);
    await expect(twin.done).rejects.toMatchObject({ type: 'bad-statement' });
    const { body } = (await newSession(world, 2)).session;
    const unsigned = await send(world, 2, port, { session: { body, signature: 'none' } });
    await expect(unsigned.done).rejects.toMatchObject({ type: 'bad-statement' });
  });

  test('nothing is let in after drain', async () => {
    const { world, there } = await setUp(2);
    await (
      await send(world, 1, there.landing.port)
    ).done;
    await there.landing.drain(runOf(world));
    const late = await send(world, 2, there.landing.port);
    await expect(late.done).rejects.toMatchObject({ type: 'run-closed' });
    expect((await there.landing.readBack(placeOf(world))).missing).toEqual([]);
  });
});

describe('the landing', () => {
  test('drops what is no first frame, and serves the others', async () => {
    const { world, there } = await setUp(1);
    const { port } = there.landing;
    const hello = Buffer.from('534c4f31010100000000ffff', 'hex');
    const garbage = [randomBytes(12), randomBytes(4096), hello, Buffer.from('GET / HTTP/1.1\r\n\r\n')];
    await Promise.all(
      garbage.map(async (bytes) => {
        const socket = connect(port, '127.0.0.1');
        socket.on('error', () => undefined);
        socket.write(bytes);
        socket.resume();
        await new Promise((resolve) => socket.once('close', resolve));
      }),
    );
    const silent = Array.from({ length: 10 }, () => connect(port, '127.0.0.1'));
    closing.push(() => {
      for (const socket of silent) socket.destroy();
      return Promise.resolve();
    });
    expect(await measureRoundTrip({ address: '127.0.0.1', port })).toBeGreaterThan(0);
    await (
      await send(world, 1, port)
    ).done;
    expect(await differing(world)).toEqual([]);
  });

  test('says when its port is taken, by another landing too', async () => {
    const { world, there } = await setUp(1);
    const second = { ...world, folder: join(world.folder, 'second') };
    await execa('mkdir', [second.folder]);
    await expect(openLanding(second, { port: there.landing.port })).rejects.toMatchObject({ type: 'port-taken' });
  });

  test('finds a chunk that does not read as it was acknowledged, and takes it again', async () => {
    const { world, there } = await setUp(3);
    await (
      await send(world, 1, there.landing.port)
    ).done;
    await there.landing.forget(runOf(world));
    const entries = [...there.journal.held(runOf(world), 0)].map((held) => ({ disk: 0, ...held }));
    there.journal.record(runOf(world), entries);
    const path = landedPath(world.folder, 'xvda');
    await execa('dd', ['if=/dev/urandom', `of=${path}`, 'bs=4096', 'count=1', 'seek=1500', 'conv=notrunc,fsync'], {
      stderr: 'ignore',
    });
    const place = placeOf(world, false);
    expect((await there.landing.readBack(place)).missing).toEqual([{ disk: 0, index: 1 }]);
    const again = await send(world, 2, there.landing.port);
    const { summary } = await again.done;
    expect(summary.wireBytes).toBeLessThan(2 * chunkBytes);
    expect((await there.landing.readBack(place)).missing).toEqual([]);
    expect(await differing(world)).toEqual([]);
  });

  test('takes a disk that was away when it is there again', async () => {
    const { world, there } = await setUp(2);
    const path = landedPath(world.folder, 'xvda');
    await rename(path, `${path}.away`);
    await expect((await send(world, 1, there.landing.port)).done).rejects.toMatchObject({ type: 'disk-missing' });
    await rename(`${path}.away`, path);
    await (
      await send(world, 2, there.landing.port)
    ).done;
    expect(await differing(world)).toEqual([]);
  });

  test('writes zeros where something may have been', async () => {
    const world = await makeWorld([{ sizeBytes: 3 * chunkBytes, zeroChunks: [0, 1, 2] }]);
    closing.push(() => removeWorld(world));
    await writeFile(landedPath(world.folder, 'xvda'), randomBytes(3 * chunkBytes));
    const first = await openLanding(world);
    // A landing that was there before may have written anything.
    first.journal.open(runOf(world), [{ disk: 0, sizeBytes: 3 * chunkBytes }]);
    await (
      await send(world, 1, first.landing.port)
    ).done;
    expect(await differing(world)).toEqual(['xvda']);
    expect((await first.landing.readBack(placeOf(world))).missing).toHaveLength(3);
    await first.close();
    const there = await openLanding(world);
    closing.push(there.close);
    await (
      await send(world, 2, there.landing.port)
    ).done;
    expect((await there.landing.readBack(placeOf(world))).missing).toEqual([]);
    expect(await differing(world)).toEqual([]);
  });
});

const isRoot = process.getuid?.() === 0;
(isRoot ? describe : describe.skip)(`a full disk${isRoot ? '' : ' (skipped: mounting needs root)'}`, () => {
  test("ends the job with 'disk-full', which goes on when there is space", async () => {
    const { world, there } = await setUp(6);
    const mounted = join(world.folder, 'small');
    await execa('mkdir', [mounted]);
    await execa('mount', ['-t', 'tmpfs', '-o', `size=${String(4 * chunkBytes)}`, 'tmpfs', mounted]);
    closing.push(async () => {
      await there.landing.forget(runOf(world));
      await execa('umount', ['-l', mounted]);
    });
    const path = landedPath(world.folder, 'xvda');
    await execa('truncate', ['-s', String(6 * chunkBytes), join(mounted, 'disk')]);
    await unlink(path);
    await symlink(join(mounted, 'disk'), path);
    const first = await send(world, 1, there.landing.port);
    await expect(first.done).rejects.toMatchObject({ type: 'disk-full' });
    await execa('mount', ['-o', `remount,size=${String(8 * chunkBytes)}`, mounted]);
    await (
      await send(world, 2, there.landing.port)
    ).done;
    expect((await there.landing.readBack(placeOf(world))).missing).toEqual([]);
    expect(await differing(world)).toEqual([]);
  });
});

describe('the sender', () => {
  test("gives up with 'landing-away' only after its limit, and finds a landing that comes within it", async () => {
    const { world, there } = await setUp(2);
    const { port } = there.landing;
    await there.landing.close();
    const without = await send(world, 1, port, { connectLimitMs: 400 });
    await expect(without.done).rejects.toMatchObject({ type: 'landing-away' });
    const patient = await send(world, 2, port);
    await until(() => patient.progress().trouble !== null);
    const again = await openLanding(world, { port });
    closing.push(again.close);
    await patient.done;
    expect(await differing(world)).toEqual([]);
  });

  test('keeps its limit, pauses, goes on, and stops', async () => {
    const { world, there } = await setUp(12);
    const rate = 8 * 1024 * 1024;
    const job = await send(world, 1, there.landing.port, { limitBytesPerSecond: rate });
    await until(() => job.progress().wireBytes > 0);
    const from = { at: performance.now(), bytes: job.progress().wireBytes };
    await until(() => job.progress().wireBytes - from.bytes > rate);
    expect(performance.now() - from.at).toBeGreaterThan(700);
    job.pause();
    job.setLimit(null);
    await until(() => job.progress().bytesPerSecond === 0 || job.progress().disks[0]?.verifiedBytes !== 0);
    expect(job.progress().paused).toBe(true);
    job.resume();
    await job.done;
    expect(await differing(world)).toEqual([]);
    const stopped = await send(world, 2, there.landing.port, { paused: true });
    await stopped.stop();
    await expect(stopped.done).rejects.toMatchObject({ type: 'cancelled' });
  });

  test('notices a source disk that changes under it', async () => {
    const { world, there } = await setUp(2);
    const source = join(world.folder, 'xvda.source');
    const first = await send(world, 1, there.landing.port);
    await first.done;
    there.journal.drop(runOf(world), [{ disk: 0, index: 1 }]);
    await rename(source, `${source}.old`);
    await writeFile(source, randomBytes(2 * chunkBytes));
    const second = await send(world, 2, there.landing.port);
    await expect(second.done).rejects.toMatchObject({ type: 'disk-changed' });
  });
});
