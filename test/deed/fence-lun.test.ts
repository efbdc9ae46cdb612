import { mkdirSync } from 'node:fs';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { execa } from 'execa';
import { fence, proveFenced, unfence } from '../../deed/fence.ts';
import type { FencePlaces } from '../../deed/fence.ts';
import { readKey, writeKey } from '../../deed/lun-fence.ts';
import type { Mark } from '../../storage/mark.ts';
import { canLoop, needsLoops } from '../support/loops.ts';
import { StandInTarget } from '../support/luns.ts';
import type { Task } from './fence-child.ts';
import { vm } from './support.ts';

const rootTest = canLoop ? test : test.skip;
const id = '6000000000000001';
const lun = { id: `naa.${id}` };
const mark: Mark = { v: 1, lineage: '1'.repeat(32), token: 2, role: 'source', ...vm };
const later = { ...mark, token: 3 };
const longMs = 120_000;

let target: StandInTarget;
let places: FencePlaces;
beforeEach(async () => {
  target = new StandInTarget([{ id, sizeBytes: 1024 * 1024 }]);
  on('one');
  const xen = join(target.folder, 'xen');
  await mkdir(xen);
  await writeFile(join(xen, 'web-1.cfg'), 'name = "web-1"\n');
  places = {
    disks: [],
    luns: [{ vdev: 'xvda', path: '/dev/lun', lun: { ...lun, target: target.target } }],
    configPath: join(xen, 'web-1.cfg'),
    autostartPath: null,
    savedImagePath: null,
    asideFolder: join(xen, 'sealift/web-1'),
  };
});
afterEach(async () => {
  await target.close();
});

/** From here on this process is in that host's dom0. */
function on(host: string): void {
  process.env.SEALIFT_LAB_ROOT = `/${host}/dom0`;
}

/** The same copy as another host has it. */
function placesOf(host: string): FencePlaces {
  const folder = join(target.folder, host);
  mkdirSync(folder, { recursive: true });
  return { ...places, configPath: null, asideFolder: join(folder, 'aside') };
}

/** Whether a process of the host could write the LUN now; it is logged in. */
async function canWrite(host: string): Promise<boolean> {
  const device = target.deviceOn(host, id);
  return !(await execa('dd', ['if=/dev/zero', `of=${device}`, 'bs=4096', 'count=1', 'conv=notrunc'], { reject: false }))
    .failed;
}

/** A process that fences or unfences as that host, and is killed by the program of so many. Returns whether it was. */
async function killed(act: Task['act'], after: number): Promise<boolean> {
  target.set({ calls: 0, killAt: after });
  const task: Task = { act, places, mark, kind: 'immutable', dieAfter: 1000 };
  const script = join(import.meta.dirname, 'fence-child.ts');
  const { failed, signal, stderr } = await execa(process.execPath, [script, JSON.stringify(task)], { reject: false });
  if (failed && signal !== 'SIGKILL') throw new Error(stderr);
  target.set({ killAt: null });
  return failed;
}

describe('the fence of a LUN', () => {
  rootTest(
    `keeps its host out by a reservation for nobody, until a host takes it ${needsLoops}`,
    async () => {
      await fence(places, mark, 'immutable');
      await proveFenced(places, mark, 'immutable');
      expect(await canWrite('one')).toBe(false);
      // Nobody is left logged in by the name that holds it.
      expect(target.state.sessions.map(({ host, iface }) => [host, iface])).toEqual([['one', 'default']]);

      on('two');
      await fence(placesOf('two'), { ...mark, role: 'landing' }, 'immutable');
      expect(target.state.sessions).toHaveLength(2);
      expect([await canWrite('one'), await canWrite('two')]).toEqual([false, false]);
      await unfence(placesOf('two'), mark);
      expect([await canWrite('one'), await canWrite('two')]).toEqual([false, true]);
      await expect(proveFenced(placesOf('two'), mark, 'immutable')).rejects.toMatchObject({ type: 'fence-failed' });

      // The first host stays out by what the second one has, and a late step of its own changes nothing.
      on('one');
      await proveFenced(places, mark, 'immutable');
      await fence(places, mark, 'immutable');
      await expect(unfence(places, mark)).rejects.toMatchObject({ type: 'unknown-state' });
      expect([await canWrite('one'), await canWrite('two')]).toEqual([false, true]);

      on('two');
      await fence(placesOf('two'), mark, 'immutable');
      on('one');
      await unfence(places, later);
      expect([await canWrite('one'), await canWrite('two')]).toEqual([true, false]);
    },
    longMs,
  );

  rootTest(
    `killed after a program of its own, is ended by the next call, and comes off ${needsLoops}`,
    async () => {
      let programs = 0;
      for (let after = 1; await killed('fence', after); after += 2) {
        programs = after;
        await fence(places, mark, 'immutable');
        await proveFenced(places, mark, 'immutable');
        await killed('unfence', 1 + (after % 12));
        await unfence(places, mark);
        expect(await canWrite('one')).toBe(true);
        expect(target.state.sessions.filter(({ iface }) => iface !== 'default')).toEqual([]);
        target.forget();
      }
      expect(programs).toBeGreaterThan(8);
    },
    longMs,
  );

  rootTest(
    `a host that knows its session no more takes the LUN again by the same token ${needsLoops}`,
    async () => {
      await fence(places, mark, 'immutable');
      await unfence(places, mark);
      await target.dropSessions('one');
      await unfence(places, mark);
      expect(await canWrite('one')).toBe(true);
      target.forget();
      await expect(proveFenced(places, mark, 'immutable')).rejects.toMatchObject({ type: 'fence-failed' });
      await fence(places, later, 'immutable');
      expect(await canWrite('one')).toBe(false);
    },
    longMs,
  );

  rootTest(
    `nobody's LUN is taken who is not this VM, by an older token, or from a host that may run it ${needsLoops}`,
    async () => {
      const other = { ...mark, lineage: '2'.repeat(32) };
      await fence(places, later, 'immutable');
      for (const act of [fence(places, other, 'immutable'), unfence(places, other), unfence(places, mark)])
        await expect(act).rejects.toMatchObject({ type: 'unknown-state' });
      await expect(proveFenced(places, other, 'immutable')).rejects.toMatchObject({ type: 'fence-failed' });
      await unfence(places, later);
      on('two');
      const two = placesOf('two');
      // A destination whose source has not fenced it, and one whose records say that it may run it.
      const landing = fence(two, { ...later, token: 4, role: 'landing' }, 'immutable');
      await expect(landing).rejects.toMatchObject({ type: 'fence-failed' });
      await expect(fence(two, { ...later, token: 4 }, 'immutable')).rejects.toMatchObject({ type: 'fence-failed' });
      await expect(unfence(two, { ...later, token: 4 })).rejects.toMatchObject({ type: 'unknown-state' });
      expect([await canWrite('one'), await canWrite('two')]).toEqual([true, false]);
      // An operator says that the first one is gone.
      await unfence(two, { ...later, token: 1003 }, { claimed: true });
      expect([await canWrite('one'), await canWrite('two')]).toEqual([false, true]);
    },
    longMs,
  );

  rootTest(
    `says so where there is no LUN, no answer, no reservation, or somebody in the way ${needsLoops}`,
    async () => {
      target.set({ away: true });
      await expect(fence(places, mark, 'immutable')).rejects.toMatchObject({ type: 'iscsi-failed' });
      target.set({ away: false, reservable: false });
      await expect(fence(places, mark, 'immutable')).rejects.toMatchObject({ type: 'fence-failed' });
      target.set({ reservable: true, attentions: 2 });
      const held = await open(target.deviceOn('one', id), 'r+');
      await expect(fence(places, mark, 'immutable')).rejects.toMatchObject({ type: 'disk-busy' });
      await held.close();
      const elsewhere = {
        ...places,
        luns: [{ vdev: 'xvda', path: '/dev/lun', lun: { id: 'naa.5', target: target.target } }],
      };
      await expect(fence(elsewhere, mark, 'immutable')).rejects.toMatchObject({ type: 'disk-missing' });
    },
    longMs,
  );

  test('a key says what it was made of, and no other key is taken for one', () => {
    const digit = fc.integer({ min: 0, max: 15 }).map((value) => value.toString(16));
    const keys = fc.record({
      lineage: fc.array(digit, { minLength: 4, maxLength: 4 }).map((some) => some.join('')),
      token: fc.integer({ min: 0, max: 16 ** 5 - 1 }),
      holder: fc.integer({ min: 0, max: 0xffff }),
    });
    fc.assert(fc.property(keys, (key) => expect(readKey(writeKey(key))).toEqual(key)));
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (key) => {
        const read = readKey(key);
        expect(read === null ? key >> 52n !== 0x5ean : writeKey(read) === key).toBe(true);
      }),
    );
  });
});
