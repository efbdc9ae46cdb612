import { describe, expect, test } from '@jest/globals';
import { sshdMissing } from '../../infra/lab/sshd.ts';
import { drawn } from './crossing.ts';
import type { Crossing } from './crossing.ts';
import { crossingSeed, soak } from './soak.ts';
import { leaksIn, summary } from './summary.ts';

const lane = sshdMissing === null ? describe : describe.skip;
lane(`the soak${sshdMissing === null ? '' : ` (skipped: ${sshdMissing})`}`, () => {
  test('four crossings by both methods, each struck, end without complaint and leave nothing behind', async () => {
    const crossings: Crossing[] = [];
    for await (const crossing of soak({ crossings: 4, seed: gentleSeed() })) crossings.push(crossing);
    const about = crossings.map(({ complaints, struck, story }) => ({ complaints, struck, story }));
    expect(about).toEqual(about.map(({ story }) => ({ complaints: [], struck: true, story })));
    // What strikes may keep the VM where it was.
    for (const { from, to, end } of crossings) expect([from, to]).toContain(end);
    expect(crossings.filter(({ to, end }) => end === to).length).toBeGreaterThanOrEqual(2);
    expect(new Set(crossings.map(({ method }) => method)).size).toBe(2);
    expect(leaksIn(crossings)).toEqual([]);
    expect(summary(crossings)).toContain('no leak');
  });
});

/** The first one that draws both methods, and faults of moves that are soon over. */
function gentleSeed(): number {
  for (let seed = 1; ; seed += 1) {
    const casts = [1, 2, 3, 4].map((number) => drawn(crossingSeed(seed, number)).cast);
    const isGentle = casts.every(({ point, fault }) => fault.passes === true && point.stage === 'move');
    if (isGentle && new Set(casts.map(({ method }) => method)).size === 2) return seed;
  }
}

/** After so many crossings each way, with the VM on the host that it came to. */
function quiet(count: number): Crossing[] {
  return Array.from({ length: count }, (_, index) => {
    const [from, to] = index % 2 === 0 ? ['lon-1', 'fra-1'] : ['fra-1', 'lon-1'];
    return {
      number: index + 1,
      seed: index,
      ...{ from, to, end: to },
      method: 'sealed',
      point: 'after receipt',
      fault: 'nothing',
      struck: true,
      keptCopies: 0,
      story: [],
      complaints: [],
      ms: 5_000,
      workflowMs: 4_000,
      historyEvents: 120,
      figures: {
        processes: { 'lon-1': { pid: 7, residentBytes: 200 * 2 ** 20, descriptors: 50 } },
        processCount: 5,
        folders: { 'lon-1 pool': { entries: to === 'lon-1' ? 3 : 0, bytes: 0 } },
        databases: { 'lon-1': index * 4_096 },
      },
    };
  });
}

test('the verdict sees an entry, a descriptor, memory and a process too many, and no leak in what only keeps what it was told', () => {
  expect(leaksIn(quiet(12))).toEqual([]);
  const folder = quiet(12);
  folder[10]!.figures.folders['lon-1 pool']!.entries += 1;
  expect(leaksIn(folder)).toEqual([
    'files in lon-1 pool: 0 after crossing 1, 1 after crossing 11, both with the VM on fra-1',
  ]);
  const descriptor = quiet(12);
  // One at a time that is only just closing.
  descriptor[5]!.figures.processes['lon-1']!.descriptors = 53;
  expect(leaksIn(descriptor)).toEqual([]);
  for (const { number, figures } of descriptor) figures.processes['lon-1']!.descriptors += number;
  expect(leaksIn(descriptor)).toEqual(['descriptors of lon-1: at least 54, then 59, from crossing 4 to 12']);
  const memory = quiet(40);
  for (const { number, figures } of memory) figures.processes['lon-1']!.residentBytes += (number % 7) * 2 ** 22;
  expect(leaksIn(memory)).toEqual([]);
  for (const { number, figures } of memory) figures.processes['lon-1']!.residentBytes += number * 2 ** 22;
  expect(leaksIn(memory)).toEqual(['memory of lon-1: at most 276 MiB, then at least 320 MiB, from crossing 4 to 40']);
  const process = quiet(12);
  process[11]!.figures.processCount += 1;
  expect(leaksIn(process)).toHaveLength(1);
  // A copy that nobody gave free is no leak.
  folder[10]!.keptCopies = 1;
  expect(leaksIn(folder)).toEqual([]);
});
