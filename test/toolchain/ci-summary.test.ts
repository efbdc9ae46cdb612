import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';

const script = new URL('../../infra/ci-summary.mjs', import.meta.url).pathname;

describe('infra/ci-summary.mjs', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sealift-summary-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  async function summary(checks: unknown, jest: unknown) {
    const files = [join(folder, 'checks.json'), join(folder, 'jest.json')];
    for (const [index, content] of [checks, jest].entries()) {
      await rm(files[index]!, { force: true });
      if (content !== undefined) await writeFile(files[index]!, JSON.stringify(content));
    }
    const result = await execa(process.execPath, [script, ...files], { reject: false });
    return { code: result.exitCode, last: result.stdout.split('\n').at(-1), said: result.stdout };
  }

  const suite = (name: string, status: string, ...tests: string[]) => ({
    name,
    status,
    assertionResults: tests.map((one) => ({ status: one, fullName: `${name} ${one}` })),
  });
  const jest = (testResults: unknown[]) => ({ numPassedTests: 7, numPendingTests: 2, numTodoTests: 1, testResults });

  test('checks count as tests', async () => {
    const checks = [{ name: 'types', passed: true }];
    expect(await summary(checks, jest([suite('a', 'passed', 'passed')]))).toMatchObject({
      code: 0,
      last: '8 passed, 0 failed, 3 skipped',
    });
  });

  test('a failed check, a failed test and a file that does not run each fail the whole and are named', async () => {
    const checks = [{ name: 'lint', passed: false }];
    const said = await summary(checks, jest([suite('a', 'failed', 'passed', 'failed'), suite('b', 'failed')]));
    expect(said).toMatchObject({ code: 1, last: '7 passed, 3 failed, 3 skipped' });
    expect(said.said).toContain('failed: lint\nfailed: a: a failed\nfailed: b does not run\n');
  });

  test('what did not get to its end is a failure', async () => {
    expect(await summary(undefined, undefined)).toMatchObject({ code: 1, last: '0 passed, 2 failed, 0 skipped' });
  });
});
