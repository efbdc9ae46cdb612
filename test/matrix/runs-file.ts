import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { faults, nothing } from './faults/faults.ts';
import { fits } from './play.ts';
import type { Outcome } from './play.ts';
import { copyMethod, points } from './points.ts';

/** Reads what `--out` has written, a line of JSON for each run, or docs/reliability-runs.tsv. */
export function readRuns(path: string): Outcome[] {
  const lines = readFileSync(path, 'utf8').trim().split('\n');
  if (!path.endsWith('.tsv')) return lines.map((line) => JSON.parse(line) as Outcome);
  const [head = '', ...rows] = lines;
  const names = head.split('\t');
  return rows.map((row) => outcomeOf(Object.fromEntries(row.split('\t').map((value, at) => [names[at], value]))));
}

const yes = z.enum(['yes', 'no']).transform((word) => word === 'yes');
const kept = z.object({
  seed: z.coerce.number(),
  method: copyMethod,
  point: z.string(),
  fault: z.string(),
  struck: yes,
  /** Empty for runs of builds that did not tell. */
  met: z.union([yes, z.literal('').transform(() => null)]),
  end: z.string(),
  ms: z.coerce.number(),
  complaints: z.coerce.number(),
});

/** A run that does not tell whether its fault met something counts when the fault is still thought to do something at that point. */
function outcomeOf(row: unknown): Outcome {
  const { met, complaints, ...run } = kept.parse(row);
  const point = points.find(({ name }) => name === run.point);
  const fault = [nothing, ...faults].find(({ name }) => name === run.fault);
  const could = point !== undefined && fault !== undefined && fits(fault, point, run.method);
  return { ...run, met: met ?? could, story: [], complaints: Array.from({ length: complaints }, () => 'not kept') };
}
