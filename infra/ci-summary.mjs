// `node infra/ci-summary.mjs CHECKS.json JEST.json…`: prints one line for each failure and the last line of .ci/run. A file
// that is not there means that what should have written it did not get that far: one failure.
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import process from 'node:process';

/** @typedef {{ name: string, passed: boolean }} Check */
/** @typedef {{ name: string, status: string, assertionResults: { status: string, fullName: string }[] }} Suite */
/** @typedef {{ numPassedTests: number, numPendingTests: number, numTodoTests: number, testResults: Suite[] }} Jest */

const [, , checksFile = '', ...jestFiles] = process.argv;
const count = { passed: 0, failed: 0, skipped: 0 };

/** @type {Check[] | null} */
const checks = read(checksFile);
for (const { name, passed } of checks ?? [{ name: 'npm run check did not end', passed: false }]) {
  if (passed) count.passed += 1;
  else fail(name);
}

for (const file of jestFiles) {
  /** @type {Jest | null} */
  const jest = read(file);
  if (jest === null) {
    fail(`the tests of ${basename(file)} did not end`);
    continue;
  }
  count.passed += jest.numPassedTests;
  count.skipped += jest.numPendingTests + jest.numTodoTests;
  for (const suite of jest.testResults) {
    const failed = suite.assertionResults.filter((test) => test.status === 'failed');
    for (const test of failed) fail(`${suite.name}: ${test.fullName}`);
    if (suite.status === 'failed' && failed.length === 0) fail(`${suite.name} does not run`);
  }
}

process.stdout.write(
  `${String(count.passed)} passed, ${String(count.failed)} failed, ${String(count.skipped)} skipped\n`,
);
process.exit(count.failed === 0 ? 0 : 1);

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
