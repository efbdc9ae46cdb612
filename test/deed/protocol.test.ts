import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isSealiftError } from '../../domain/error.ts';
import { everything } from './model/actions.ts';
import { apply } from './model/effects.ts';
import { enabled } from './model/guards.ts';
import { broken } from './model/promises.ts';
import { at } from './model/state.ts';
import { choose, isAddressed, leadsOn, mustRefuse, removesReady } from './protocol/choice.ts';
import { Unproven, Vm } from './protocol/vm.ts';
import { makeHost, removeHosts, reopened } from './support.ts';
import type { TestHost } from './support.ts';

/** Look further with SEALIFT_SEED and SEALIFT_RUNS. */
const seed = Number(process.env.SEALIFT_SEED ?? 1);
const numRuns = Number(process.env.SEALIFT_RUNS ?? 100);

/** Longer than all runs take: a failure is made smaller for so long. */
const limitMs = Math.max(60_000, numRuns * 600);

/** The hosts with their databases serve all runs: each has a VM of its own. The last one's identity is the operator's. */
let hosts: TestHost[] = [];
beforeAll(async () => {
  hosts = (await Promise.all([makeHost(), makeHost(), makeHost(), makeHost()])).map(hasty);
});
afterAll(removeHosts);

/** Some steps are whatever somebody may ask for, some nearly right, some permitted, and some lead on: so that runs get far. */
const step = fc.record({
  among: fc.constantFrom(
    'everything',
    'plausible',
    'plausible',
    'permitted',
    'forward',
    'forward',
    'forward',
    'forward',
  ),
  pick: fc.nat(),
  crash: fc.nat(60),
});
/** How many hosts there are, and which of them has the VM before Sealift has. */
const ground = fc
  .integer({ min: 2, max: 3 })
  .chain((count) => fc.record({ count: fc.constant(count), first: fc.nat(count - 1) }));

test(`real databases do what the model does, in any order, with any statement ever signed (seed ${String(seed)})`, () => {
  const reached = new Set<string>();
  fc.assert(
    fc.property(ground, fc.array(step, { minLength: 20, maxLength: 60 }), ({ count, first }, steps) => {
      const vm = new Vm(hosts, { count, first, operator: at(hosts, 3).identity });
      const story: string[] = [`on host ${String(first)} of ${String(count)}`];
      for (const { among, pick, crash } of steps) {
        if (crash === 0) hosts[pick % count] = hasty(reopened(at(hosts, pick % count)));
        const all = everything(vm.model);
        const permitted = all.filter((action) => enabled(vm.model, action));
        const forward = permitted.filter((action) => leadsOn(vm.model, action));
        const plausible = all.filter((action) => isAddressed(vm.model, action) && !enabled(vm.model, action));
        const lists = { everything: all, permitted, forward, plausible };
        const action = choose(lists[among].length > 0 ? lists[among] : permitted, pick);
        const may = enabled(vm.model, action);
        let refusal: unknown = null;
        try {
          vm.perform(action, may);
        } catch (error) {
          if (!isSealiftError(error) && !(error instanceof Unproven)) throw error;
          refusal = error;
        }
        if (may) {
          story.push(JSON.stringify(action));
          if (refusal !== null) throw new Error(`refused after ${story.join('\n')}`, { cause: refusal });
          reached.add(removesReady(vm.model, action) ? 'collectLanding, READY' : action.kind);
          apply(vm.model, action);
        } else if (refusal === null && mustRefuse(vm.model, action)) {
          throw new Error(`permitted: ${JSON.stringify(action)} after ${story.join('\n')}`);
        }
        vm.clearIntents(action.h);
        vm.compare(action.h);
        expect({ broken: broken(vm.model), story }).toEqual({ broken: [], story });
      }
    }),
    { seed, numRuns, interruptAfterTimeLimit: limitMs },
  );
  // the runs went to the end of the protocol, or this test shows little
  expect([...reached]).toEqual(
    expect.arrayContaining([
      'adopt',
      'abort',
      'cede',
      'accept',
      'close',
      'collectLanding',
      'collectLanding, READY',
      'beginReturn',
      'giveBack',
      'takeBack',
      'settle',
      'release',
      'collect',
      'claim',
      'heed',
      'quell',
    ]),
  );
});

/** These runs cut no power, so they need not wait for the disk. */
function hasty(made: TestHost): TestHost {
  made.database.sql.exec('PRAGMA synchronous = OFF');
  return made;
}
