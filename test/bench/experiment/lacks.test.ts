import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

const program = new URL('../../../cli/sealift.ts', import.meta.url).pathname;
const plan = new URL('../../../bench/experiment/plans/quick.toml', import.meta.url).pathname;

describe('an experiment where no line can be emulated says what is missing, and leaves nothing', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sealift-lacks-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const run = (words: string[], path: string) => {
    const [file, ...args] = [
      ...words,
      process.execPath,
      program,
      'experiment',
      'run',
      plan,
      '--into',
      join(folder, 'into'),
    ];
    return execa(file, args, { reject: false, env: { PATH: path } });
  };
  const hint = 'hint: run it as root on a Linux machine with these packages; a report of results can be made anywhere';

  test('a compiler', async () => {
    symlinkSync(process.execPath, join(folder, 'node'));
    const { exitCode, stderr } = await run([], folder);
    expect(stderr).toMatch(/^sealift: the experiment needs .*cc \(package gcc, libc6-dev\).* {2}\[machine-lacks\]$/m);
    expect([exitCode, stderr]).toEqual([3, expect.stringContaining(hint)]);
  });

  test('root', async () => {
    const isRoot = process.getuid?.() === 0;
    const words = isRoot ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : [];
    const { exitCode, stderr } = await run(words, `${dirname(process.execPath)}:${process.env.PATH ?? ''}`);
    expect([exitCode, stderr]).toEqual([
      3,
      expect.stringContaining('the experiment needs root, for network namespaces'),
    ]);
  });
});
