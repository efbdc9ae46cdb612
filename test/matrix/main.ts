// `npm run matrix -- --seed N`, `--minutes M [--from SEED]`, `--all`, or `--point P --fault F [--method M]`: plays runs of the fault
// matrix and says what came of them; `--out FILE` appends each as a line of JSON.
import { appendFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { method as methodShape } from '../../domain/names.ts';
import { faults, nothing } from './faults/faults.ts';
import { castOf, fits, play } from './play.ts';
import type { Cast, Outcome } from './play.ts';
import { points } from './points.ts';
import { Stage } from './stage.ts';

/** A world grows with each run: histories, records, logs. */
const runsOfAStage = 40;

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    minutes: { type: 'string' },
    from: { type: 'string', default: '1' },
    all: { type: 'boolean', default: false },
    point: { type: 'string' },
    fault: { type: 'string' },
    method: { type: 'string' },
    out: { type: 'string' },
  },
});

let stage = await Stage.open();
let played = 0;
let bad = 0;
for (const cast of casts()) {
  if (played > 0 && played % runsOfAStage === 0) await renew();
  const outcome = await play(stage, cast).catch((error: unknown) => unplayed(cast, error));
  played += 1;
  tell(outcome);
  if (outcome.complaints.length === 0) continue;
  bad += 1;
  // What went wrong in one world shall not be found again in the next run.
  await renew();
}
await stage.close();
process.stdout.write(`${String(played)} runs, ${String(bad)} with complaints\n`);
process.exitCode = bad === 0 ? 0 : 1;

async function renew(): Promise<void> {
  await stage.close();
  stage = await Stage.open();
}

function* casts(): Generator<Cast> {
  const from = Number(values.from);
  if (values.seed !== undefined) {
    yield castOf(Number(values.seed), stage.hasStaging);
  } else if (values.minutes !== undefined) {
    const end = Date.now() + Number(values.minutes) * 60_000;
    for (let seed = from; Date.now() < end; seed += 1) yield castOf(seed, stage.hasStaging);
  } else {
    let seed = from;
    for (const method of methodShape.options)
      for (const point of points)
        for (const fault of [nothing, ...faults]) {
          const wanted =
            (values.point === undefined || point.name === values.point) &&
            (values.fault === undefined || fault.name === values.fault) &&
            (values.method === undefined || method === values.method);
          if (wanted && fits(fault, point, method)) yield { seed: seed++, method, point, fault };
        }
  }
}

/** A run that this machinery itself could not play proves nothing. */
function unplayed({ seed, method, point, fault }: Cast, error: unknown): Outcome {
  const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const names = { seed, method, point: point.name, fault: fault.name };
  return { ...names, struck: false, end: 'not played', story: [], complaints: [`could not be played: ${what}`], ms: 0 };
}

function tell(outcome: Outcome): void {
  const { seed, method, point, fault, struck, end, ms, story, complaints } = outcome;
  const mark = complaints.length > 0 ? 'BAD ' : struck ? 'ok  ' : 'miss';
  process.stdout.write(
    `${mark} seed ${String(seed)} ${method} · ${point} · ${fault} → ${end} in ${(ms / 1_000).toFixed(1)} s | ${story.join(' | ')}\n`,
  );
  for (const complaint of complaints) process.stdout.write(`     ${complaint}\n`);
  if (values.out !== undefined) appendFileSync(values.out, `${JSON.stringify(outcome)}\n`);
}
