// `npm run soak -- --crossings 300 --seed 7 --out soak.jsonl`: see docs/reliability.md.
import { appendFileSync, readFileSync } from 'node:fs';
import { readOptions } from '../../infra/options.ts';
import type { Crossing } from './crossing.ts';
import { soak } from './soak.ts';
import { leaksIn, summary } from './summary.ts';

const usage = `usage: npm run soak -- [--crossings N] [--seed N] [--calm] [--out FILE]
       npm run soak -- --table FILE
  --crossings N   default 300
  --seed N        draws what happens in each; default 1
  --calm          nothing strikes
  --out FILE      each crossing as a line of JSON besides
  --table FILE    only the summary of such lines
`;

const values = readOptions(usage, {
  crossings: { type: 'string', default: '300' },
  seed: { type: 'string', default: '1' },
  calm: { type: 'boolean', default: false },
  out: { type: 'string' },
  table: { type: 'string' },
});

if (values.table !== undefined) process.stdout.write(summary(crossingsIn(values.table)));
else await run(Number(values.crossings), Number(values.seed), values.calm);

async function run(asked: number, seed: number, calm: boolean): Promise<void> {
  const crossings: Crossing[] = [];
  for await (const crossing of soak({ crossings: asked, seed, calm })) {
    crossings.push(crossing);
    tell(crossing);
  }
  process.stdout.write(summary(crossings));
  const bad = crossings.some(({ complaints }) => complaints.length > 0) || leaksIn(crossings).length > 0;
  process.exitCode = bad || crossings.length < asked ? 1 : 0;
}

function tell(crossing: Crossing): void {
  const { number, seed, from, to, method, point, fault, struck, end, ms, story, complaints } = crossing;
  const mark = complaints.length > 0 ? 'BAD ' : struck ? 'ok  ' : 'miss';
  process.stdout.write(
    `${mark} ${String(number)} seed ${String(seed)} ${from} to ${to} ${method} · ${point} · ${fault} → ${end} in ${(ms / 1_000).toFixed(1)} s | ${story.join(' | ')}\n`,
  );
  for (const complaint of complaints) process.stdout.write(`     ${complaint}\n`);
  if (values.out !== undefined) appendFileSync(values.out, `${JSON.stringify(crossing)}\n`);
}

function crossingsIn(path: string): Crossing[] {
  return readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Crossing);
}
