// `node infra/ci-summary.mjs FILE.json…`: what `npm run check` or `npm run model` wrote by `--results`, or jest; prints one line for
// each failure and the last line of .ci/run. A file that is not there means that what should have written it did not get that far: one failure.
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import process from 'node:process';

/** @typedef {{ name: string, passed: boolean }} Check */
/** @typedef {{ name: string, status: string, assertionResults: { status: string, fullName: string }[] }} Suite */
/** @typedef {{ numPassedTests: number, numPendingTests: number, numTodoTests: number, testResults: Suite[] }} Jest */

const count = { passed: 0, failed: 0, skipped: 0 };

for (const file of process.argv.slice(2)) {
  /** @type {Check[] | Jest | null} */
  const results = read(file);
  if (results === null) fail(`what writes ${basename(file)} did not end`);
  else if (Array.isArray(results)) countChecks(results);
  else countTests(results);
}

process.stdout.write(
  `${String(count.passed)} passed, ${String(count.failed)} failed, ${String(count.skipped)} skipped\n`,
);
process.exit(count.failed === 0 ? 0 : 1);

/** @param {Check[]} checks */
function countChecks(checks) {
  for (const { name, passed } of checks) {
    if (passed) count.passed += 1;
    else fail(name);
  }
}

/** @param {Jest} jest */
function countTests(jest) {
  count.passed += jest.numPassedTests;
  count.skipped += jest.numPendingTests + jest.numTodoTests;
  for (const suite of jest.testResults) {
    const failed = suite.assertionResults.filter((test) => test.status === 'failed');
    for (const test of failed) fail(`${suite.name}: ${test.fullName}`);
    if (suite.status === 'failed' && failed.length === 0) fail(`${suite.name} does not run`);
  }
}

/** @param {string} what */
function fail(what) {
  count.failed += 1;
  process.stdout.write(`failed: ${what}\n`);
}

/** @template T @param {string} file @returns {T | null} */
function read(file) {
  try {
    /** @type {unknown} */
    const value = JSON.parse(readFileSync(file, 'utf8'));
    return /** @type {T} */ (value);
  } catch {
    return null;
  }
}
