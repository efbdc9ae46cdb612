import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { addLabVm } from '../../infra/lab/lab-host.ts';
import { clearFaults, setFault } from '../../infra/lab/faults.ts';
import { checkRecords } from '../../infra/lab/records.ts';
import { canLoop, needsLoops } from '../support/loops.ts';
import { StandInTarget } from '../support/luns.ts';
import { until, untilPast } from '../support/until.ts';
import { impatient, makeWorld, MiB, migrate, quick, xl } from '../support/world.ts';
import type { MoveHandle } from '../../client/index.ts';
import type { TestHost, World } from '../support/world.ts';

const rootTest = canLoop ? test : test.skip;
/** Of each test its own. */
const ids = [1, 2, 3, 4, 5].map((number) => `600000000000010${String(number)}`);
let target: StandInTarget;
let world: World;
beforeAll(async () => {
  if (!canLoop) return;
  target = new StandInTarget(ids.map((id) => ({ id, sizeBytes: 2 * MiB })));
  world = await makeWorld({ settings: { ...impatient, iscsi: [target.target] } });
}, 240_000);
afterAll(async () => {
  if (!canLoop) return;
  await world.close();
  await target.close();
}, 60_000);

/** A guest at the source on a LUN, running and adopted. */
async function makeVm(name: string, id: string): Promise<string> {
  const { host } = world.london;
  const device = await target.login(host.env, id).catch(() => target.deviceOn('lon-1', id));
  const vm = await addLabVm(host.lab, {
    name,
    uuid: randomUUID(),
    memoryMib: 32,
    disks: [],
    autostart: true,
    extraConfig: `disk = [ "phy:${device},xvda,w" ]`,
  });
  await xl(world.london, 'create', vm.configPath);
  await world.sealift.adopt({ vm: name, host: host.name, by: 'test' });
  return vm.uuid;
}

/** In which state each host has the VM's domains, in letters of `xl list`. */
async function states(name: string): Promise<string[]> {
  const each = [world.london, world.frankfurt].map(async (at) => {
    const { stdout } = await xl(at, 'list');
    return [...stdout.matchAll(new RegExp(`^${name}\\S* .* ([a-z-]{6}) +\\d+\\.\\d`, 'gm'))]
      .map(([, flags]) => flags)
      .join(' ');
  });
  return Promise.all(each);
}
const alive = '-b----';

/** Its guest has booted so often, wrote each record once and in order, and never ran twice. */
async function expectWhole(id: string, boots: number): Promise<void> {
  const report = await checkRecords(target.fileOf(id));
  expect(report.problems).toEqual([]);
  expect(report.boots.map(({ boot }) => boot)).toEqual(Array.from({ length: boots }, (_, index) => index + 1));
  expect(world.observer.doubles).toEqual([]);
}

/** The guest's records go on. */
async function expectRuns(id: string): Promise<void> {
  const before = (await checkRecords(target.fileOf(id))).last;
  for (let now = before; now <= before;) now = (await checkRecords(target.fileOf(id))).last;
}

/** A move whose memory would take minutes to cross, and that it crosses now. */
async function crossing(name: string): Promise<MoveHandle> {
  const move = await migrate(world, { vm: name, method: 'live', limitBytesPerSecond: 16 * 1024 });
  await until(move, ({ transfer }) => transfer?.step === 'memory' && transfer.wireBytes > 70_000);
  return move;
}

async function restart(at: TestHost): Promise<void> {
  await world.killWorker(at);
  await world.startWorker(at);
}

/** A move that stands still after its fence, since the destination is away: its guest waits at the source, suspended. */
async function handedOver(name: string, id: string): Promise<MoveHandle> {
  const move = await migrate(world, { vm: name, method: 'live' });
  await untilPast(move, 'fence');
  await world.killWorker(world.frankfurt);
  await until(move, () => target.state.luns.some((lun) => lun.id === id && lun.reservation?.nexus.includes('fence')));
  return move;
}

describe('a guest that runs on a LUN', () => {
  rootTest(
    `goes on at the destination where it was, and comes back with what it wrote ${needsLoops}`,
    async () => {
      const [id = ''] = ids;
      await makeVm('moves', id);
      const plan = await world.sealift.plan({ vm: 'moves', from: 'lon-1', to: 'fra-1', method: 'live' });
      expect(plan.concerns.filter(({ severity }) => severity === 'refuses')).toEqual([]);
      const { body } = await (await migrate(world, { vm: 'moves', method: 'live' })).result();
      expect(body).toMatchObject({ method: 'live', disks: [], plainBytes: 0 });
      expect(await states('moves')).toEqual(['', alive]);
      await expectRuns(id);
      await expectWhole(id, 1);

      await (await world.sealift.revert({ vm: 'moves', confirm: 'moves', timings: quick })).result();
      expect(await states('moves')).toEqual([alive, '']);
      await expectWhole(id, 2);
      await removeVm('moves');
    },
    600_000,
  );

  rootTest(
    `goes on, and then goes over, when a worker is killed while its memory crosses ${needsLoops}`,
    async () => {
      const [, id = ''] = ids;
      await makeVm('killed', id);
      for (const at of [world.london, world.frankfurt]) {
        const move = await crossing('killed');
        await world.killWorker(at);
        // Nobody tells it to: xl lets it go on, or had not suspended it.
        await until(move, () => true);
        await expectRuns(id);
        await world.startWorker(at);
        await until(move, ({ transfer }) => transfer?.step === 'memory' && transfer.wireBytes > 70_000);
        await move.throttle(null);
        await move.result();
        expect(await states('killed')).toEqual(['', alive]);
        await expectRuns(id);
        await (await world.sealift.revert({ vm: 'killed', confirm: 'killed', timings: quick })).result();
      }
      await expectWhole(id, 3);
      await removeVm('killed');
    },
    600_000,
  );

  rootTest(
    `stays where it was when its move is aborted, while its memory crosses or when it is all there ${needsLoops}`,
    async () => {
      const [, , id = ''] = ids;
      await makeVm('stays', id);
      const early = await crossing('stays');
      await early.pause();
      const { transfer } = await until(early, (at) => at.transfer?.paused === true);
      expect(transfer).toMatchObject({ step: 'memory', limitBytesPerSecond: 16 * 1024 });
      const from = performance.now();
      await early.abort();
      // Not when all of it has crossed.
      expect(performance.now() - from).toBeLessThan(20_000);
      await expect(early.result()).rejects.toMatchObject({ type: 'cancelled' });
      expect(await states('stays')).toEqual([alive, '']);

      // What came of it at a destination that was away when it was aborted is in the way of no other one.
      const cut = await crossing('stays');
      await world.killWorker(world.frankfurt);
      await cut.abort();
      await expect(cut.result()).rejects.toMatchObject({ type: 'cancelled' });
      await world.startWorker(world.frankfurt);

      const late = await handedOver('stays', id);
      expect(await states('stays')).toEqual(['---ss-', '--p---']);
      await restart(world.london);
      await late.abort();
      await expect(late.result()).rejects.toMatchObject({ type: 'cancelled' });
      await expectRuns(id);
      // What came there waits, until the host is back and the next one comes.
      expect(await states('stays')).toEqual([alive, '--p---']);
      await expectWhole(id, 1);

      await world.startWorker(world.frankfurt);
      await (await migrate(world, { vm: 'stays', method: 'live' })).result();
      expect(await states('stays')).toEqual(['', alive]);
      await expectRuns(id);
      await expectWhole(id, 1);
      await xl(world.frankfurt, 'destroy', 'stays');
      target.forget();
    },
    600_000,
  );

  rootTest(
    `goes on where it was when its memory is lost at the destination before the cede, and boots there when it is lost after it ${needsLoops}`,
    async () => {
      const [, , , id = ''] = ids;
      await makeVm('lost', id);
      const early = await handedOver('lost', id);
      await xl(world.frankfurt, 'destroy', 'lost');
      await world.startWorker(world.frankfurt);
      await expect(early.result()).rejects.toMatchObject({ type: 'memory-missing' });
      expect(await states('lost')).toEqual([alive, '']);
      await expectRuns(id);
      await expectWhole(id, 1);

      const late = await migrate(world, { vm: 'lost', method: 'live' });
      await untilPast(late, 'cede');
      await world.killWorker(world.frankfurt);
      await until(late, ({ phase, pending }) => phase === 'start' && pending.length > 0);
      expect(await states('lost')).toEqual(['', '--p---']);
      await xl(world.frankfurt, 'destroy', 'lost');
      await world.startWorker(world.frankfurt);
      const { body } = await late.result();
      expect(body.vmName).toBe('lost');
      const { done } = await late.status();
      expect(done.find(({ phase }) => phase === 'start')?.note).toBe('anew: its memory could not be kept');
      await expectRuns(id);
      await expectWhole(id, 2);
      await xl(world.frankfurt, 'destroy', 'lost');
      target.forget();
    },
    600_000,
  );

  rootTest(
    `is taken back without having run there, when the destination cannot let it go on ${needsLoops}`,
    async () => {
      const [, , , , id = ''] = ids;
      await makeVm('back', id);
      const { root } = world.frankfurt.host.lab;
      setFault(root, { refuse: 'unpause' });
      const move = await migrate(world, { vm: 'back', method: 'live' });
      await until(move, ({ status }) => status.phase === 'waits');
      expect(await states('back')).toEqual(['', '--p---']);
      await move.leave();
      await expect(move.result()).rejects.toMatchObject({ type: 'left' });
      clearFaults(root);

      await (await world.sealift.revert({ vm: 'back', confirm: 'back', timings: quick })).result();
      expect(await states('back')).toEqual([alive, '']);
      expect(world.observer.boots.filter((boot) => boot.root === root && boot.name.startsWith('back'))).toMatchObject([
        { records: [], runs: false },
      ]);
      await expectWhole(id, 2);
      await removeVm('back');
    },
    600_000,
  );
});

/** Ends a VM at the source, so that its LUN is free for another one. */
async function removeVm(name: string): Promise<void> {
  await xl(world.london, 'destroy', name);
  await rm(join(world.london.host.lab.etcFolder, `${name}.cfg`));
  await rm(join(world.london.host.lab.autoFolder, `${name}.cfg`), { force: true });
  target.forget();
}
