import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Clock } from '../../bench/experiment/clock.ts';
import { enterStage } from '../../bench/experiment/ground.ts';
import type { Stage } from '../../bench/experiment/ground.ts';
import { meterMissing } from '../../bench/experiment/meter.ts';
import { makePayload } from '../../bench/experiment/payload.ts';
import { parsePlan, pointKey, readPlan } from '../../bench/experiment/plan.ts';
import { readResults, resultsFile } from '../../bench/experiment/results.ts';
import type { Crossing, Entry } from '../../bench/experiment/results.ts';
import { runExperiment } from '../../bench/experiment/run.ts';
import { wayOf } from '../../bench/experiment/ways/all.ts';
import { peer } from '../../bench/experiment/ways/peer.ts';
import { studyTunnel } from '../../bench/experiment/ways/study-tunnel.ts';
import type { Way } from '../../bench/experiment/ways/way.ts';
import { processFacts } from '../../infra/lab/process.ts';
import { missingNeeds } from '../../infra/lab/wan/needs.ts';
import { describeWhere } from '../support/describe-where.ts';

const program = new URL('../../cli/sealift.ts', import.meta.url).pathname;
const quick = new URL('../../bench/experiment/plans/quick.toml', import.meta.url).pathname;
const meter = meterMissing();

describeWhere([...missingNeeds(), ...(meter === null ? [] : [meter])], 'an experiment', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sealift-experiment-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const crossedIn = (into: string): Extract<Entry, { kind: 'crossed' }>[] =>
    (readResults(into)?.entries ?? []).filter((entry) => entry.kind === 'crossed');

  /** Runs the command until it has said that so many crossed, and ends it by a signal; null: lets it come to its end. */
  async function run(into: string, until: { crossed: number; by: NodeJS.Signals } | null): Promise<number | null> {
    const words = [program, '--json', 'experiment', 'run', quick, '--into', into];
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
    const exit = once(child, 'exit');
    let crossed = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      const { event } = JSON.parse(line) as { event: string };
      if (event === 'crossed') crossed += 1;
      if (event === 'crossed' && crossed === until?.crossed) child.kill(until.by);
    }
    const [code] = (await exit) as [number | null];
    return code;
  }

  test('the quick one goes on after SIGKILL, a torn line and Ctrl-C, measures each point once, and makes a report', async () => {
    expect(await run(folder, { crossed: 2, by: 'SIGKILL' })).toBeNull();
    expect(crossedIn(folder).map(({ point }) => point.way)).toHaveLength(2);
    appendFileSync(join(folder, resultsFile), '{"kind":"crossed","at":"2026-');
    expect(await run(folder, { crossed: 1, by: 'SIGINT' })).toBe(130);
    expect(crossedIn(folder).map(({ point }) => point.way)).toHaveLength(3);
    expect(existsSync(join(folder, 'work'))).toBe(false);
    expect(await run(folder, null)).toBe(0);
    const crossed = crossedIn(folder);
    expect(new Set(crossed.map(({ point }) => pointKey(point))).size).toBe(crossed.length);
    const { ways } = await readPlan(quick);
    const there = ways.filter((way) => wayOf(way).lacks().length === 0);
    expect(there).toEqual(expect.arrayContaining(['sealed']));
    expect(crossed).toHaveLength(2 * there.length);
    for (const { crossing } of crossed) expectPlausible(crossing);
    const made = await execa(process.execPath, [
      program,
      'experiment',
      'report',
      folder,
      '--into',
      join(folder, 'page'),
    ]);
    expect(made.stdout).toContain(`figures of ${folder}`);
    const page = readFileSync(join(folder, 'page/index.html'), 'utf8');
    for (const way of ways.filter((one) => !there.includes(one))) expect(page).toContain(wayOf(way).lacks()[0]);
  }, 300_000);

  const plan = (change: (text: string) => string): ReturnType<typeof parsePlan> =>
    parsePlan(
      change(
        [
          'name = "small"\ntitle = "A small one"\nways = ["scp"]\nrepeats = 1\ncongestion = "cubic"\nlimit_seconds = 60',
          '[[line]]\nrate_mbps = 100\nround_trip_ms = [20]\npayload_mib = 16\n',
        ].join('\n'),
      ),
      'small.toml',
    );
  const toEnd = (of: ReturnType<typeof parsePlan>): ReturnType<typeof runExperiment> =>
    runExperiment(of, { folder, signal: new AbortController().signal, begin: () => undefined, tell: () => undefined });

  test('a way that takes too long has failed, and is tried again', async () => {
    const late = plan((text) => text.replace('limit_seconds = 60', 'limit_seconds = 0.5'));
    expect(await toEnd(late)).toEqual({ done: 0, notDone: 1, missing: [] });
    expect(await toEnd(late)).toEqual({ done: 0, notDone: 1, missing: [] });
    const failures = readResults(folder)?.entries.filter((entry) => entry.kind === 'failed');
    expect(failures?.map(({ why }) => why)).toEqual(['not done in 0.5 s', 'not done in 0.5 s']);
  });

  test('a line is cut while the bytes cross, and they arrive', async () => {
    await toEnd(plan((text) => `${text}outage = { after_seconds = 0.2, seconds = 3 }\n`));
    const [seen] = crossedIn(folder);
    expect(seen?.crossing.totalMs).toBeGreaterThan(4_000);
    const carried = seen?.crossing.carried ?? [];
    const still = carried.filter(([, bytes], at) => at > 0 && bytes === carried[at - 1]?.[1] && bytes > 1_000_000);
    expect(still.length).toBeGreaterThan(8);
  });

  test('is run by one at a time', async () => {
    const script = join(folder, 'lock.toml');
    writeFileSync(script, readFileSync(quick));
    const first = spawn(process.execPath, [program, '--json', 'experiment', 'run', script, '--into', folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(first, 'exit');
    await once(createInterface({ input: first.stdout }), 'line');
    const second = await execa(process.execPath, [program, 'experiment', 'run', script, '--into', folder], {
      reject: false,
    });
    expect([second.exitCode, second.stderr]).toEqual([3, expect.stringContaining('[state-locked]')]);
    first.kill('SIGINT');
    await ended;
  });

  test('leaves nothing behind', async () => {
    const stage = await enterStage(folder);
    const { source } = stage.ground('any');
    const lasting = source.run('sleep', ['600']);
    const killed = expect(lasting).rejects.toThrow('sleep failed (SIGKILL)');
    await stage.leave();
    await killed;
    expect(readdirSync(folder)).toEqual([]);
    expect(readFileSync('/proc/self/cgroup', 'utf8')).not.toContain('sealift-experiment');
  });

  describe('its ways', () => {
    let stage: Stage;
    beforeAll(async () => {
      stage = await enterStage(mkdtempSync(join(tmpdir(), 'sealift-ways-')));
      await stage.lab.setLink({ roundTripMs: 20, rateMbps: 200 });
      await stage.lab.setCongestion('cubic');
    });
    afterAll(() => stage.leave());

    async function cross(way: Way): Promise<Crossing> {
      const payload = await makePayload({ payload: 'files', payloadMib: 16 });
      const ground = stage.ground(way.name);
      const clock = new Clock(ground, () => undefined);
      const started = await way.start(ground);
      try {
        await started.cross(payload, clock, new AbortController().signal);
        return await clock.end(payload.bytes);
      } finally {
        await clock.stop();
        await started.stop();
      }
    }

    const names = ['scp', 'sftp', 'rsync', 'openssl-ssh', 'qemu-nbd-tls', 'rclone', 'lftp', 'restic'] as const;
    for (const name of names) {
      const lacks = wayOf(name).lacks();
      const where = lacks.length === 0 ? test : test.skip;
      where(`${name} brings the bytes over${lacks.length === 0 ? '' : ` (skipped: ${lacks.join('; ')})`}`, async () => {
        const crossing = await cross(wayOf(name));
        expectPlausible(crossing);
        // scp and its ssh: each has a few.
        if (name === 'scp') expect(crossing.peakMib.source).toBeGreaterThan(10);
        expect(crossing.totalMs).toBeGreaterThan(name === 'qemu-nbd-tls' || name === 'restic' ? 300 : 600);
      });
    }

    const noTunnel = studyTunnel.lacks();
    const tunnelTest = noTunnel.length === 0 ? test : test.skip;
    tunnelTest(
      `one stream goes through an IPsec tunnel${noTunnel.length === 0 ? '' : ` (skipped: ${noTunnel.join('; ')})`}`,
      async () => {
        const crossing = await cross(studyTunnel);
        expectPlausible(crossing);
        expect(crossing.phases.map(({ name }) => name)).toEqual(['shut down', 'copy', 'sync', 'restart']);
        // The headers of ESP are on the line too.
        expect(crossing.wireBytes).toBeGreaterThan(1.03 * crossing.plainBytes);
        // One that was killed is there again for the next.
        const [{ pid }] = await stage.ground('study-tunnel').strongSwan();
        process.kill(pid, 'SIGKILL');
        while (processFacts(pid) !== null) await sleep(10);
        expectPlausible(await cross(studyTunnel));
      },
    );

    test('a copy with other bytes is a failure', async () => {
      const wrong = peer(
        'scp',
        () => [],
        () =>
          Promise.resolve({
            carry: ({ from, to, clock }) =>
              clock.bytes('copy', async () => writeFileSync(to, readFileSync(from).fill(7, 5, 6))),
          }),
      );
      await expect(cross(wrong)).rejects.toThrow('the destination has other bytes than the source');
    });

    test('are charged for their own programs only', async () => {
      const idle = stage.ground('scp').destination.meter;
      idle.forgetPeak();
      const before = idle.seconds();
      await cross(wayOf('study-sealed'));
      expect([idle.seconds() - before, idle.peakMib()]).toEqual([0, 0]);
    });
  });
});

/** What is true of every crossing of 16 MiB. */
function expectPlausible({
  plainBytes,
  wireBytes,
  processorSeconds,
  peakMib,
  phases,
  totalMs,
  carried,
}: Crossing): void {
  expect(plainBytes).toBe(16 * 2 ** 20);
  expect(wireBytes).toBeGreaterThan(1_000_000);
  for (const cost of [...Object.values(processorSeconds), ...Object.values(peakMib)]) expect(cost).toBeGreaterThan(0);
  expect(totalMs).toBeGreaterThan(phases.reduce((sum, { ms }) => sum + ms, 0) - 1);
  expect(carried.at(-1)?.[1]).toBe(wireBytes);
}
