// `npm run matrix -- ...`: plays runs of the fault matrix and says what came of each. docs/reliability.md tells how to ask.
import { appendFileSync } from 'node:fs';
import { readOptions, wrongOptions } from '../../infra/options.ts';
import { faults, nothing } from './faults/faults.ts';
import { pairing } from './pairing.ts';
import { castOf, fits, play, repeatCommand } from './play.ts';
import type { Cast, Outcome } from './play.ts';
import { copyMethod, points } from './points.ts';
import { readRuns } from './runs-file.ts';
import { Stage } from './stage.ts';
import { table } from './table.ts';

/** A world grows with each run: histories, records, logs. */
const runsOfAStage = 40;

const usage = `usage: npm run matrix -- [OPTIONS]
  --seed N               the run that this seed draws; with the others, the first seed; default 1
  --minutes N            random runs for so long
  --pairing              few runs in which every point and every fault comes once
  --all                  every fault at every point by every method
  --point NAME --fault NAME --method NAME   choose among them
  --first-point NAME --first-fault NAME     one that strikes before, and passes
  --out FILE             each run as a line of JSON besides
  --table FILE           only the table of such lines, or of docs/reliability-runs.tsv
examples:
  npm run matrix -- --minutes 60 --seed 1000 --out runs.jsonl
  npm run matrix -- --point 'after cede' --fault 'both hosts reboot'
`;

const values = readOptions(usage, {
  seed: { type: 'string' },
  minutes: { type: 'string' },
  pairing: { type: 'boolean', default: false },
  all: { type: 'boolean', default: false },
  point: { type: 'string' },
  fault: { type: 'string' },
  'first-point': { type: 'string' },
  'first-fault': { type: 'string' },
  method: { type: 'string' },
  out: { type: 'string' },
  table: { type: 'string' },
});
mustBe('seed', values.seed, isNumber);
mustBe('minutes', values.minutes, isNumber);
for (const option of ['point', 'first-point'] as const)
  mustBe(option, values[option], (named) => points.some(({ name }) => name === named));
mustBe('fault', values.fault, (named) => [nothing, ...faults].some(({ name }) => name === named));
mustBe('first-fault', values['first-fault'], (named) => faults.some(({ name }) => name === named));
mustBe('method', values.method, (named) => copyMethod.safeParse(named).success);

const before = firstNamed();

if (values.table === undefined) await playAll();
else process.stdout.write(table(readRuns(values.table)));

function mustBe(option: string, value: string | undefined, isGood: (value: string) => boolean): void {
  if (value !== undefined && !isGood(value)) wrongOptions(usage, `--${option} cannot be ${value}`);
}

function isNumber(value: string): boolean {
  return /^\d+(\.\d+)?$/.test(value);
}

async function playAll(): Promise<void> {
  let stage: Stage | null = null;
  let played = 0;
  let bad = 0;
  for (const cast of casts()) {
    stage ??= await Stage.open();
    const outcome = await play(stage, cast).catch((error: unknown) => unplayed(cast, error));
    played += 1;
    tell(cast, outcome);
    if (outcome.complaints.length > 0) bad += 1;
    // What went wrong in one world shall not be found again in the next run.
    if (outcome.complaints.length === 0 && played % runsOfAStage !== 0) continue;
    await stage.close();
    stage = null;
  }
  await stage?.close();
  process.stdout.write(`${String(played)} runs, ${String(bad)} with complaints\n`);
  process.exitCode = bad === 0 && played > 0 ? 0 : 1;
}

/** What is asked for, in the order in which it is played. */
function* casts(): Generator<Cast> {
  const seed = Number(values.seed ?? 1);
  const named = values.point ?? values.fault ?? values.method;
  if (values.minutes !== undefined) {
    const end = Date.now() + Number(values.minutes) * 60_000;
    for (let next = seed; Date.now() < end; next += 1) yield castOf(next);
  } else if (values.pairing) {
    yield* pairing(seed);
  } else if (values.all || named !== undefined) {
    yield* product(seed);
  } else {
    yield castOf(seed);
  }
}

/** Every fault at every point by every method, or those that are named. */
function* product(first: number): Generator<Cast> {
  let seed = first;
  const isWanted = (wanted: string | undefined, name: string): boolean => wanted === undefined || wanted === name;
  for (const method of copyMethod.options.filter((one) => isWanted(values.method, one)))
    for (const point of points.filter(({ name }) => isWanted(values.point, name)))
      for (const fault of [nothing, ...faults].filter(({ name }) => isWanted(values.fault, name)))
        if (fits(fault, point, method)) yield { seed: seed++, method, point, fault, ...before };
}

function firstNamed(): Pick<Cast, 'first'> {
  const point = points.find(({ name }) => name === values['first-point']);
  const fault = faults.find(({ name }) => name === values['first-fault']);
  if (point === undefined && fault === undefined) return {};
  if (point !== undefined && fault !== undefined && values.point !== undefined) return { first: { point, fault } };
  return wrongOptions(usage, '--first-point, --first-fault and --point belong together');
}

/** A run that this machinery itself could not play proves nothing. */
function unplayed({ seed, method, point, fault }: Cast, error: unknown): Outcome {
  const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const names = { seed, method, point: point.name, fault: fault.name };
  return {
    ...names,
    struck: false,
    met: false,
    end: 'not played',
    story: [],
    complaints: [`could not be played: ${what}`],
    ms: 0,
  };
}

function tell(cast: Cast, outcome: Outcome): void {
  const { seed, method, point, fault, first, struck, met, end, ms, story, complaints } = outcome;
  const mark = complaints.length > 0 ? 'BAD ' : met ? 'ok  ' : struck ? 'idle' : 'miss';
  const seconds = (ms / 1_000).toFixed(1);
  const earlier = first === undefined ? '' : `${first.point} · ${first.fault}, then `;
  process.stdout.write(
    `${mark} seed ${String(seed)} ${method} · ${earlier}${point} · ${fault} → ${end} in ${seconds} s | ${story.join(' | ')}\n`,
  );
  for (const complaint of complaints) process.stdout.write(`     ${complaint}\n`);
  if (complaints.length > 0) process.stdout.write(`     again: ${repeatCommand(cast)}\n`);
  if (values.out !== undefined) appendFileSync(values.out, `${JSON.stringify(outcome)}\n`);
}
