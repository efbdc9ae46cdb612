// `npm run model`: checks docs/deed.tla by TLC, with all guards in several settings, then with each guard taken out, which must be
// caught by the invariant that sabotages.ts names. `--large`: larger bounds, for minutes. `--results FILE` leaves the outcome as JSON for .ci/run.
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { isSealiftError } from '../../domain/error.ts';
import { interruption, unlessAborted } from '../interruption.ts';
import { readOptions } from '../options.ts';
import { invariants, settings } from './cases.ts';
import type { Invariant } from './cases.ts';
import { findChecker } from './checker.ts';
import { sabotages } from './sabotages.ts';
import { runTlc } from './tlc.ts';
import type { Check } from './tlc.ts';

interface Case {
  name: string;
  check: Check;
  /** The invariant that has to break; null when none may. */
  expected: Invariant | null;
}

const root = join(import.meta.dirname, '..', '..');
const usage = `usage: npm run model -- [--large] [--results FILE]
  --large         larger bounds, for minutes
  --results FILE  the outcome as JSON besides
`;
const values = readOptions(usage, { large: { type: 'boolean' }, results: { type: 'string' } });
const cases = [...wholeChecks(values.large === true), ...sabotagedChecks()];
const outcomes: { name: string; passed: boolean }[] = [];

const signal = interruption();
const began = performance.now();
try {
  await unlessAborted(signal, checkAll());
} catch (error) {
  if (!isSealiftError(error)) throw error;
  process.stderr.write(`sealift: ${error.message}\n${error.hint === undefined ? '' : `hint: ${error.hint}\n`}`);
}
const isWhole = outcomes.length === cases.length && outcomes.every(({ passed }) => passed);
process.stdout.write(
  `${String(outcomes.filter(({ passed }) => passed).length)} of ${String(cases.length)} as expected, ` +
    `${((performance.now() - began) / 1000).toFixed(0)} s\n`,
);
if (values.results !== undefined) {
  const missing = cases.length - outcomes.length;
  const rest = missing === 0 ? [] : [{ name: `model: ${String(missing)} checks did not end`, passed: false }];
  writeFileSync(values.results, JSON.stringify([...outcomes, ...rest]));
}
process.exitCode = isWhole ? 0 : 1;

async function checkAll(): Promise<void> {
  const jar = await findChecker(join(root, '.sealift', 'cache'));
  const tools = { jar, module: join(root, 'docs', 'deed.tla') };
  process.stdout.write(`${'states'.padStart(9)} ${'depth'.padStart(5)} ${'s'.padStart(6)}\n`);
  const queue = [...cases];
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { name, check, expected } = next;
      const { broken, distinctStates, depth, seconds } = await runTlc(tools, check, signal);
      const passed = broken === expected;
      outcomes.push({ name: `model: ${name}`, passed });
      const figures = `${String(distinctStates).padStart(9)} ${String(depth).padStart(5)} ${seconds.toFixed(1).padStart(6)}`;
      const end = `${broken ?? 'holds'}${passed ? '' : `, EXPECTED ${expected ?? 'that all holds'}`}`;
      process.stdout.write(`${figures}  ${name}: ${end}\n`);
    }
  };
  await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, worker));
}

function wholeChecks(large: boolean): Case[] {
  return settings.map(({ name, features, bounds, large: larger, without }) => ({
    name,
    check: {
      features,
      out: without?.guards ?? [],
      bounds: large ? larger : bounds,
      invariants: without?.invariants ?? invariants,
    },
    expected: null,
  }));
}

function sabotagedChecks(): Case[] {
  return sabotages.map(({ guards, features, bounds, breaks }) => ({
    name: `without "${guards.join('" and "')}"`,
    check: { features, out: guards, bounds, invariants: [breaks] },
    expected: breaks,
  }));
}
