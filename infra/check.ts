// `npm run check`: everything that can be said of the sources without running them. `--results FILE` leaves the outcome
// as JSON for .ci/run.
import { availableParallelism } from 'node:os';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { execa } from 'execa';

interface Outcome {
  name: string;
  passed: boolean;
}

const root = new URL('..', import.meta.url);
/** A check that takes longer hangs. */
const limitMs = 600_000;

const checks: Record<string, string[]> = {
  types: ['tsc', '-p', '.'],
  lint: ['eslint', '--max-warnings=0', '.'],
  format: ['prettier', '--check', '--log-level=warn', '.'],
  imports: ['depcruise', '--output-type', 'err', '.'],
  unused: ['knip'],
  docs: ['node', 'infra/docs/write.ts', '--check'],
};

const { values } = parseArgs({ options: { results: { type: 'string' } } });
const queue = Object.entries(checks);
const outcomes: Outcome[] = [];
await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, worker));
if (values.results !== undefined) writeFileSync(values.results, JSON.stringify(outcomes));
process.exitCode = outcomes.every((outcome) => outcome.passed) ? 0 : 1;

/** Takes checks from the queue until it is empty. */
async function worker(): Promise<void> {
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) outcomes.push(await check(...next));
}

/** Runs one check and prints its line, and all that it said when it failed. */
async function check(name: string, [command = '', ...args]: string[]): Promise<Outcome> {
  const began = Date.now();
  const result = await execa(command, args, {
    cwd: root,
    preferLocal: true,
    reject: false,
    all: true,
    stdin: 'ignore',
    timeout: limitMs,
  });
  const passed = result.exitCode === 0;
  const seconds = ((Date.now() - began) / 1000).toFixed(1);
  const end = passed ? 'ok' : result.timedOut ? 'DID NOT END' : 'FAILED';
  process.stdout.write(`${name.padEnd(8)} ${end.padEnd(6)} ${seconds.padStart(6)} s\n`);
  if (!passed) process.stdout.write(`${result.all}\n\n`);
  return { name, passed };
}
