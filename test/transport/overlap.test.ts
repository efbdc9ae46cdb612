import { readdir, readlink } from 'node:fs/promises';
import { afterEach, expect, test } from '@jest/globals';
import { chunkBytes } from '../../domain/chunks.ts';
import type { LandingOptions } from '../../transport/landing.ts';
import { authenticationMs } from '../../transport/tuning.ts';
import { startProxy } from './proxy.ts';
import {
  authorize,
  differing,
  landedPath,
  makeWorld,
  openLanding,
  openSender,
  placeOf,
  removeWorld,
  runOf,
  until,
} from './world.ts';
import type { OpenLanding, OpenSender, World } from './world.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

test('a read-back that is given up does not disturb another one of the same run', async () => {
  const { world, there } = await setUp({ chunks: 64 });
  await landUnread(world, there);
  const given = new AbortController();
  const lost = there.landing.readBack(placeOf(world), undefined, given.signal);
  const next = there.landing.readBack(placeOf(world));
  setTimeout(() => {
    given.abort();
  }, 10);
  await expect(lost).rejects.toMatchObject({ type: 'cancelled' });
  expect((await next).missing).toEqual([]);
});

test('a run that is forgotten while it is read back ends the reading', async () => {
  const { world, there } = await setUp();
  await landUnread(world, there);
  const reading = there.landing.readBack(placeOf(world));
  const forgotten = there.landing.forget(runOf(world));
  await expect(reading).rejects.toMatchObject({ type: 'landing-away' });
  await forgotten;
  expect(await openedAs(landedPath(world.folder, 'xvda'))).toBe(0);
});

test('a stream that comes back while the landing lets go of its run is let in', async () => {
  const gate = new Gate();
  const { world, there } = await setUp({ gate });
  const proxy = await startProxy(there.landing.port);
  closing.push(proxy.close);
  const { job } = await send(world, 1, proxy.port, { streams: 1, paused: true });
  await until(() => job.progress().streams === 1);
  gate.close();
  proxy.cut();
  await until(() => gate.waiting === 1);
  // Without a connection the end of a read-back closes the run's disks; meanwhile the stream's first frame is looked at.
  const reading = there.landing.readBack(placeOf(world));
  await afterMicrotasks();
  gate.open();
  expect((await reading).missing).toHaveLength(4);
  job.resume();
  await job.done;
  expect((await there.landing.readBack(placeOf(world))).missing).toEqual([]);
  expect(await differing(world)).toEqual([]);
});

test('a connection that was closed before it was let in leaves nothing open', async () => {
  const gate = new Gate();
  gate.close();
  const { world, there } = await setUp({ gate });
  const { job, close } = await send(world, 1, there.landing.port, { streams: 1, paused: true });
  // The landing closes it when it has not proved itself for so long, and the stream comes back.
  await until(() => job.progress().trouble !== null, 2 * authenticationMs);
  gate.open();
  await until(() => job.progress().streams === 1);
  await close();
  closing.pop();
  // Read back without connections, a run keeps no disk open; that the last one has gone shows a little later.
  const limit = performance.now() + 3_000;
  do await there.landing.readBack(placeOf(world));
  while ((await openedAs(landedPath(world.folder, 'xvda'))) > 0 && performance.now() < limit);
  expect(await openedAs(landedPath(world.folder, 'xvda'))).toBe(0);
});

/** Lets first frames wait. */
class Gate {
  waiting = 0;
  #opened = Promise.withResolvers<undefined>();

  constructor() {
    this.#opened.resolve(undefined);
  }

  close(): void {
    this.#opened = Promise.withResolvers();
  }

  open(): void {
    this.#opened.resolve(undefined);
  }

  async pass(): Promise<void> {
    this.waiting += 1;
    await this.#opened.promise;
    this.waiting -= 1;
  }
}

async function setUp({ gate = new Gate(), chunks = 4 } = {}): Promise<{
  world: World;
  there: OpenLanding;
}> {
  const world = await makeWorld([{ sizeBytes: chunks * chunkBytes, sparse: true }]);
  closing.push(() => removeWorld(world));
  const gated: LandingOptions['authorize'] = async (session) => {
    const asked = await authorize(world, session);
    await gate.pass();
    return asked;
  };
  const there = await openLanding(world, { authorize: gated, threads: 2 });
  closing.push(there.close);
  return { world, there };
}

async function send(
  world: World,
  number: number,
  port: number,
  options: Parameters<typeof openSender>[3] = {},
): Promise<OpenSender> {
  const sender = await openSender(world, number, port, options);
  closing.push(sender.close);
  return sender;
}

/** Sends all chunks and records them anew, so that none of them is read back. */
async function landUnread(world: World, there: OpenLanding): Promise<void> {
  const { job } = await send(world, 1, there.landing.port);
  await job.done;
  await there.landing.forget(runOf(world));
  const entries = [...there.journal.held(runOf(world), 0)].map((held) => ({ disk: 0, ...held }));
  there.journal.record(runOf(world), entries);
}

/** When everything has happened that needs no answer of a thread or of the kernel. */
async function afterMicrotasks(): Promise<void> {
  for (let turn = 0; turn < 100; turn += 1) await Promise.resolve();
}

/** How many descriptors of this process are of the file. */
async function openedAs(path: string): Promise<number> {
  const fds = await readdir('/proc/self/fd');
  const links = await Promise.all(fds.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
  return links.filter((link) => link === path).length;
}
