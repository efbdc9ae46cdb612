import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { makeGround } from './protocol/ground.ts';
import type { Ground } from './protocol/ground.ts';
import type { Step } from './protocol/step.ts';
import { adopt, cede } from './protocol/source-steps.ts';
import { canBeAsked, onwardSteps, possibleSteps } from './protocol/steps.ts';
import { Walk } from './protocol/walk.ts';
import type { Fate } from './protocol/walk.ts';

/**
 * CI goes the same walks each time; others with SEALIFT_SEED, more of them with SEALIFT_RUNS. A failure is repeated with both and, from the walk
 * that failed, SEALIFT_PATH.
 */
const seed = Number(process.env.SEALIFT_SEED ?? 7);
const path = process.env.SEALIFT_PATH;
const numRuns = Number(process.env.SEALIFT_RUNS ?? 5);

let ground: Ground;
beforeAll(async () => {
  ground = await makeGround();
}, 60_000);
afterAll(async () => {
  await ground.close();
}, 60_000);

/** How often each kind of step was done, refused, or died over. */
const seen = new Map<string, number>();

/** Asks for one of the steps that there are when its turn comes. */
class Ask implements fc.AsyncCommand<Walk, Ground> {
  readonly among: 'onward' | 'possible' | 'past';
  readonly pick: number;
  readonly fate: Fate;
  #story = '';

  constructor(among: Ask['among'], pick: number, fate: Fate) {
    this.among = among;
    this.pick = pick;
    this.fate = fate;
  }

  check(walk: Readonly<Walk>): boolean {
    return this.#steps(walk as Walk).length > 0;
  }

  async run(walk: Walk): Promise<void> {
    const step = choose(this.#steps(walk), this.pick);
    const end = await walk.take(step, this.fate).finally(() => (this.#story = walk.story.at(-1) ?? ''));
    const key = `${step.kind} ${end}`;
    seen.set(key, (seen.get(key) ?? 0) + 1);
  }

  toString(): string {
    return this.#story;
  }

  #steps(walk: Walk): Step[] {
    if (this.among === 'past') return walk.past.filter((step) => canBeAsked(walk, step));
    return this.among === 'onward' ? onwardSteps(walk) : possibleSteps(walk);
  }
}

class Happen implements fc.AsyncCommand<Walk, Ground> {
  readonly what: Parameters<Walk['happen']>[0];
  readonly pick: number;

  constructor(what: Happen['what'], pick: number) {
    this.what = what;
    this.pick = pick;
  }

  check(): boolean {
    return true;
  }

  async run(walk: Walk): Promise<void> {
    await walk.happen(this.what, this.pick % walk.hosts.length);
  }

  toString(): string {
    return `${this.what} on host ${String(this.pick)}`;
  }
}

/** By kind first: there are many more ways to ask late than to go on. */
function choose(steps: Step[], pick: number): Step {
  const kinds = [...new Set(steps.map(({ kind }) => kind))].sort();
  const alike = steps.filter(({ kind }) => kind === kinds[pick % kinds.length]);
  const step = alike[Math.floor(pick / kinds.length) % alike.length];
  if (step === undefined) throw new Error('nothing can be asked for');
  return step;
}

const fate: fc.Arbitrary<Fate> = fc.oneof(
  { weight: 3, arbitrary: fc.constant('lives' as const) },
  {
    weight: 2,
    arbitrary: fc.record({ dies: fc.integer({ min: 1, max: 16 }), who: fc.constantFrom('asked', 'other') }),
  },
);
const ask = (among: Ask['among']): fc.Arbitrary<Ask> =>
  fc.tuple(fc.nat(), fate).map(([pick, what]) => new Ask(among, pick, what));
const happen = fc
  .tuple(
    fc.constantFrom('domain ends', 'somebody starts', 'host reboots', 'process dies', 'fence off by hand'),
    fc.nat(),
  )
  .map(([what, pick]) => new Happen(what, pick));

/** A move and its return, and one that is given up: each step dies again and again, a little later each time. */
const mortal = [
  ...['adopt', 'open', 'receive', 'stop', 'fence', 'send', 'ready', 'cede', 'accept', 'start'],
  ...['back', 'stop', 'fence', 'give back', 'take back', 'start'],
  ...['open', 'receive', 'stop', 'fence', 'abort'],
];
/** A move that is given up after READY: its landing is removed, and what was given back before. */
const late = ['open', 'receive', 'stop', 'fence', 'send', 'ready', 'abort'];
/** A move that goes through, whose source's copy is then removed. */
const swift = ['open', 'receive', 'stop', 'fence', 'send', 'ready', 'cede', 'accept'];
const final = ['settle', 'finish', 'collect'];

test('each step gets through that is killed early, later and after it', async () => {
  const walk = await Walk.begin(ground, 2);
  for (const kind of mortal) await outlive(walk, next(walk, kind));
  for (const kind of late) await walk.take(next(walk, kind), 'lives');
  expect(possibleSteps(walk).filter(({ kind }) => kind === 'collect landing')).toHaveLength(2);
  await walk.take(next(walk, 'collect landing'), 'lives');
  await outlive(walk, next(walk, 'collect landing'));
  for (const kind of swift) await walk.take(next(walk, kind), 'lives');
  for (const kind of final) await outlive(walk, next(walk, kind));
});

function next(walk: Walk, kind: string, on?: number): Step {
  const step = possibleSteps(walk).find((one) => one.kind === kind && (on === undefined || one.h === on));
  if (step === undefined) throw new Error(`nothing to ${kind}\n${walk.story.join('\n')}`);
  return step;
}

test('a return that is begun before the accept and given up can be begun again, or the VM be taken', async () => {
  for (const last of [
    ['back', 'fence', 'give back', 'take back', 'start'],
    ['accept', 'start'],
  ]) {
    const walk = await Walk.begin(ground, 2);
    for (const kind of ['adopt', ...swift.slice(0, -1), 'back', 'fence', 'abort', ...last])
      if (kind === 'abort') await outlive(walk, next(walk, kind));
      else await walk.take(next(walk, kind), 'lives');
  }
});

test('a destination that dies while it is sent to is sent to again', async () => {
  const walk = await Walk.begin(ground, 2);
  for (const kind of ['adopt', ...swift.slice(0, 4)]) await walk.take(next(walk, kind), 'lives');
  for (const dies of [1, 2, 4, 8]) {
    const send = possibleSteps(walk).find(({ kind }) => kind === 'send');
    if (send !== undefined) await walk.take(send, { dies, who: 'other' });
  }
  for (const { kind } of possibleSteps(walk).filter((step) => step.kind === 'send'))
    await walk.take(next(walk, kind), 'lives');
  for (const kind of [...swift.slice(5), 'start']) await walk.take(next(walk, kind), 'lives');
});

test('a claim on either side gets through that is killed early, later and after it, and so does its heeding', async () => {
  for (const before of [swift.slice(0, -2), swift.slice(0, -1)]) {
    const walk = await Walk.begin(ground, 2);
    for (const kind of ['adopt', ...before]) await walk.take(next(walk, kind), 'lives');
    for (const kind of ['claim', 'heed']) await outlive(walk, next(walk, kind));
    for (const kind of [...swift, 'start']) await walk.take(next(walk, kind), 'lives');
  }
});

test('a VM that has arrived goes on only when it is set up, and a fence for its return is proven and kept', async () => {
  const walk = await Walk.begin(ground, 2);
  for (const kind of ['adopt', ...swift]) await walk.take(next(walk, kind), 'lives');
  expect(await walk.take(next(walk, 'open', 1), 'lives')).toBe('refused');
  expect(walk.story.at(-1)).toContain('vm-aside');
  for (const kind of ['start', 'back', 'stop', 'fence']) await walk.take(next(walk, kind, 1), 'lives');
  expect(await walk.take(next(walk, 'fence', 1), { dies: 16, who: 'asked' })).toBe('died');
});

test('a claim goes on over a fence that a killed process has left half done', async () => {
  const walk = await Walk.begin(ground, 2);
  for (const kind of ['adopt', ...swift.slice(0, -1), 'back']) await walk.take(next(walk, kind), 'lives');
  expect(await walk.take(next(walk, 'fence'), { dies: 7, who: 'asked' })).toBe('died');
  for (const [kind, on] of [
    ['claim', 1],
    ['heed', 0],
  ] as const)
    expect(await walk.take(next(walk, kind, on), 'lives')).toBe('done');
});

test('a run that takes the place of another, to a third host, gets through that is killed at each step', async () => {
  const walk = await Walk.begin(ground, 3);
  expect(await walk.take(adopt(walk, 0, 'away'), 'lives')).toBe('refused');
  await outlive(walk, adopt(walk, 0, 'passed over'));
  for (const kind of swift.slice(0, 6)) await walk.take(next(walk, kind), 'lives');
  const supersede = possibleSteps(walk).find(({ kind, title }) => kind === 'supersede' && title.includes(walk.name(2)));
  if (supersede === undefined) throw new Error('no run to take the place of another');
  await outlive(walk, supersede);
  for (const kind of ['receive', 'fence', ...swift.slice(4), 'start']) await outlive(walk, next(walk, kind));
  await outlive(walk, next(walk, 'collect landing', 1));
});

test('a fence that somebody takes off is put on again before the cede, and what was read under it counts no more', async () => {
  const walk = await Walk.begin(ground, 2);
  for (const kind of ['adopt', ...swift.slice(0, 5)]) await walk.take(next(walk, kind), 'lives');
  await walk.happen('fence off by hand', 0);
  for (const kind of ['fence', 'send', 'ready']) await walk.take(next(walk, kind), 'lives');
  await walk.happen('fence off by hand', 0);
  await walk.happen('somebody starts', 0);
  for (const kind of ['stop', 'fence']) {
    expect(await walk.take(cede(walk, 0, 0), 'lives')).toBe('refused');
    await walk.take(next(walk, kind), 'lives');
  }
  expect(await walk.take(cede(walk, 0, 0), 'lives')).toBe('refused');
  await walk.take(next(walk, 'abort', 0), 'lives');
});

/** Every operation on request; in CI some of them. */
async function outlive(walk: Walk, step: Step): Promise<void> {
  const further = process.env.SEALIFT_RUNS === undefined ? (dies: number) => dies * 3 : (dies: number) => dies + 1;
  let dies = 1;
  while ((await walk.take(step, { dies, who: 'asked' })) === 'died') dies = further(dies);
}

test(`hosts that die over any step are where the model says (seed ${String(seed)})`, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 2, max: 3 }),
      fc.commands([ask('onward'), ask('onward'), ask('onward'), ask('onward'), ask('possible'), ask('past'), happen], {
        size: 'max',
        maxCommands: 45,
      }),
      async (count, commands) => {
        const walk = await Walk.begin(ground, count);
        try {
          await fc.asyncModelRun(() => ({ model: walk, real: ground }), commands);
        } catch (error) {
          throw new Error(`${String(error)}\n${walk.story.join('\n')}`, { cause: error });
        } finally {
          await walk.end();
        }
      },
    ),
    { seed, numRuns, endOnFailure: true, ...(path === undefined ? {} : { path }) },
  );
  if (process.env.SEALIFT_RUNS !== undefined) process.stdout.write(`${JSON.stringify(Object.fromEntries(seen))}\n`);
  expect(ground.observer.doubles).toEqual([]);
});
