import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, test } from '@jest/globals';
import { SealiftError } from '../../domain/error.ts';
import type { LandingOptions, MemoryTaker } from '../../transport/landing.ts';
import { sendMemory } from '../../transport/memory-sender.ts';
import type { MemorySender } from '../../transport/memory-sender.ts';
import { makeWorld, newSession, openLanding, openSender, removeWorld, runOf, until } from './world.ts';
import type { OpenLanding, World } from './world.ts';

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** What takes the memory at the landing, in the place of xl. */
class Taker implements MemoryTaker {
  readonly pieces: Buffer[] = [];
  readonly #arrived = Promise.withResolvers<undefined>();
  readonly arrived: Promise<void>;
  isCut = false;
  /** Takes nothing more until it is resolved. */
  holds: Promise<void> = Promise.resolve();

  constructor() {
    this.arrived = this.#arrived.promise.then(() => undefined);
    this.arrived.catch(() => undefined);
  }

  async take(piece: Buffer): Promise<void> {
    await this.holds;
    this.pieces.push(piece);
  }

  cut(): void {
    this.isCut = true;
  }

  arrive(): void {
    this.#arrived.resolve(undefined);
  }

  fail(error: SealiftError): void {
    this.#arrived.reject(error);
  }

  get taken(): Buffer {
    return Buffer.concat(this.pieces);
  }
}

type Coming = Parameters<NonNullable<LandingOptions['receiveMemory']>>[0];

async function setUp(
  receive?: (coming: Coming) => Promise<MemoryTaker>,
): Promise<{ world: World; there: OpenLanding; taker: Taker; came: Coming[] }> {
  const world = await makeWorld([]);
  closing.push(() => removeWorld(world));
  const taker = new Taker();
  const came: Coming[] = [];
  const there = await openLanding(world, {
    receiveMemory: async (coming) => {
      came.push(coming);
      return receive === undefined ? taker : receive(coming);
    },
  });
  closing.push(there.close);
  return { world, there, taker, came };
}

async function connected(world: World, number: number, port: number, config = 'name = "web-1"'): Promise<MemorySender> {
  const { session, keys } = await newSession(world, number);
  const sender = await sendMemory({ session, keys, landing: { address: '127.0.0.1', port }, config, stallMs: 500 });
  closing.push(() => {
    sender.close();
  });
  return sender;
}

describe("a guest's memory", () => {
  test('comes in order and whole, with the run, the session and the configuration that it belongs to', async () => {
    const { world, there, taker, came } = await setUp();
    const sender = await connected(world, 3, there.landing.port);
    const pieces = [1, 70_000, 256 * 1024, 256 * 1024 + 1, 3_000_000].map((bytes) => randomBytes(bytes));
    for (const piece of pieces) await sender.send(piece);
    const all = Buffer.concat(pieces);
    await until(() => taker.taken.length === all.length);
    expect(taker.taken).toEqual(all);
    expect(came).toEqual([{ run: runOf(world), session: 3, config: 'name = "web-1"' }]);
    taker.arrive();
    await sender.arrived;
    expect(taker.isCut).toBe(false);
    sender.close();
    await until(() => taker.isCut);
  });

  test('is held back by who takes it, and a landing that waits for that is not given up', async () => {
    const { world, there, taker } = await setUp();
    const { promise, resolve } = Promise.withResolvers<undefined>();
    taker.holds = promise;
    const sender = await connected(world, 1, there.landing.port);
    let sent = false;
    const sending = sender.send(Buffer.alloc(64 * 1024 * 1024)).then(() => (sent = true));
    // Longer than a sender waits for a landing that does nothing.
    await new Promise((done) => setTimeout(done, 1_500));
    expect([sent, taker.pieces.length]).toEqual([false, 0]);
    resolve(undefined);
    await sending;
    await until(() => taker.taken.length === 64 * 1024 * 1024);
  });

  test('that is refused, or does not arrive, is told to its sender with the reason', async () => {
    const refusing = await setUp(() =>
      Promise.reject(new SealiftError('preflight-refused', 'fra-1 cannot run web-1: no bridge')),
    );
    await expect(connected(refusing.world, 1, refusing.there.landing.port)).rejects.toMatchObject({
      type: 'preflight-refused',
      message: 'fra-1 cannot run web-1: no bridge',
    });

    const { world, there, taker } = await setUp();
    const sender = await connected(world, 1, there.landing.port);
    taker.fail(new SealiftError('xl-failed', 'xl migrate-receive failed (exit 1): no memory'));
    await expect(sender.arrived).rejects.toMatchObject({ type: 'xl-failed' });
    await expect(sender.send(Buffer.alloc(10))).rejects.toMatchObject({ type: 'xl-failed' });
    await until(() => taker.isCut);
  });

  test('is cut off with its connection, by a newer session, and by a landing that goes', async () => {
    const { world, there, taker } = await setUp();
    const first = await connected(world, 1, there.landing.port);
    await first.send(Buffer.alloc(100));
    first.close();
    await until(() => taker.isCut);

    taker.isCut = false;
    const older = await connected(world, 2, there.landing.port);
    const newer = await openSender(world, 3, there.landing.port);
    closing.push(newer.close);
    await expect(older.arrived).rejects.toMatchObject({ type: 'stale-session' });
    await until(() => taker.isCut);
    await newer.job.done;

    const last = await connected(world, 4, there.landing.port);
    await there.landing.forget(runOf(world));
    await expect(last.arrived).rejects.toMatchObject({ type: 'landing-away' });
  });

  test('goes to nobody who has not the key of the session', async () => {
    const { world, there, came } = await setUp();
    const { session } = await newSession(world, 1);
    const other = await newSession(world, 1);
    const options = { session, landing: { address: '127.0.0.1', port: there.landing.port }, config: '', stallMs: 500 };
    await expect(sendMemory({ ...options, keys: other.keys })).rejects.toMatchObject({ type: 'tag-mismatch' });
    expect(came).toEqual([]);
  });
});
