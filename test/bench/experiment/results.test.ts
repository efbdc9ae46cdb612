import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { readResults, Results, resultsFile } from '../../../bench/experiment/results.ts';
import type { Entry, Read } from '../../../bench/experiment/results.ts';
import { writeReport } from '../../../bench/experiment/report/report.ts';
import { canMount, needsRoot } from '../../storage/support.ts';

const fixture = new URL('fixtures/study', import.meta.url).pathname;
const rootTest = canMount ? test : test.skip;

describe('results', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sealift-results-'));
    cpSync(fixture, folder, { recursive: true });
    path = join(folder, resultsFile);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const read = (): Read => {
    const found = readResults(folder);
    if (found === null) throw new Error('no results');
    return found;
  };
  const failure = (why: string): Entry => {
    const failed = read().entries.find((entry) => entry.kind === 'failed');
    if (failed === undefined) throw new Error('no failure');
    return { ...failed, why };
  };

  test('a torn last line counts for nothing, and is gone when the next is added', () => {
    const whole = readFileSync(path);
    const { plan, entries } = read();
    truncateSync(path, whole.length - 30);
    expect(read().entries).toEqual(entries.slice(0, -1));
    const results = Results.open(folder, plan);
    results.add(failure('next'));
    results.close();
    expect(read().entries).toEqual([...entries.slice(0, -1), failure('next')]);
  });

  test('a line in the middle that is none is told with its number', () => {
    const lines = readFileSync(path, 'utf8').split('\n');
    const { plan } = read();
    truncateSync(path);
    appendFileSync(path, lines.with(4, lines[4]!.slice(0, 40)).join('\n'));
    expect(() => Results.open(folder, plan)).toThrow(
      expect.objectContaining({ type: 'bad-config', message: `${path}:5: not JSON` }),
    );
  });

  test('of a plan that changed are refused, and stay as they are', () => {
    const before = readFileSync(path);
    const { plan } = read();
    expect(() => Results.open(folder, { ...plan, repeats: 9 })).toThrow(
      expect.objectContaining({
        type: 'plan-changed',
        message: `the results in ${folder} were begun by a plan that says something else`,
      }),
    );
    expect(readFileSync(path)).toEqual(before);
  });

  test('are added to by one process only', () => {
    const { plan } = read();
    const first = Results.open(folder, plan);
    expect(() => Results.open(folder, plan)).toThrow(expect.objectContaining({ type: 'state-locked' }));
    first.close();
    Results.open(folder, plan).close();
  });

  rootTest(`on a full disk are told as such, whole, and go on when there is space ${needsRoot}`, async () => {
    const disk = join(folder, 'disk');
    await mkdir(disk);
    await execa('mount', ['-t', 'tmpfs', '-o', 'size=128k', 'tmpfs', disk]);
    try {
      const { plan } = read();
      const results = Results.open(disk, plan);
      const long = failure('x'.repeat(3000));
      const fill = (): void => {
        for (;;) results.add(long);
      };
      expect(fill).toThrow(
        expect.objectContaining({
          type: 'disk-full',
          message: `there is no space for ${join(disk, resultsFile)} (ENOSPC)`,
        }),
      );
      results.close();
      const kept = readResults(disk)?.entries ?? [];
      expect(kept.length).toBeGreaterThan(10);
      expect(readFileSync(join(disk, resultsFile), 'utf8')).toMatch(/\}\n$/);
      expect(() => writeReport([folder], join(disk, 'report'))).toThrow(expect.objectContaining({ type: 'disk-full' }));
      await execa('mount', ['-o', 'remount,size=1m', disk]);
      const again = Results.open(disk, plan);
      again.add(long);
      again.close();
      expect(readResults(disk)?.entries).toHaveLength(kept.length + 1);
    } finally {
      await execa('umount', [disk]);
    }
  });
});
