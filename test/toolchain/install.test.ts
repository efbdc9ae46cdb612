import { createHash } from 'node:crypto';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';

/** Stands in for npm: says what it was asked, and leaves a node_modules whose Node runs. */
const fakeNpm = `#!/bin/sh
echo "$@" >> npm-calls
[ -f npm-fails ] && { echo 'npm error network' >&2; exit 1; }
mkdir -p node_modules/.bin && printf '#!/bin/sh\\necho v24.0.0\\n' > node_modules/.bin/node && chmod +x node_modules/.bin/node
`;

describe('infra/install.mjs', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sealift-install-'));
    await mkdir(join(folder, 'infra'));
    await mkdir(join(folder, 'bin'));
    await copyFile(new URL('../../infra/install.mjs', import.meta.url), join(folder, 'infra/install.mjs'));
    await writeFile(join(folder, 'package-lock.json'), '{}');
    await writeFile(join(folder, 'bin/npm'), fakeNpm);
    await chmod(join(folder, 'bin/npm'), 0o755);
  });
  afterEach(() => rm(folder, { recursive: true }));

  async function install() {
    const path = `${join(folder, 'bin')}:${process.env.PATH ?? ''}`;
    const script = join(folder, 'infra/install.mjs');
    const result = await execa(process.execPath, [script], {
      cwd: folder,
      reject: false,
      env: { PATH: path, npm_execpath: '' },
    });
    const calls = await readFile(join(folder, 'npm-calls'), 'utf8').catch(() => '');
    return { code: result.exitCode, said: result.stderr, calls: calls.split('\n').length - 1 };
  }

  test('installs once, and again when the lock file changes', async () => {
    expect(await install()).toMatchObject({ code: 0, calls: 1 });
    expect(await install()).toEqual({ code: 0, calls: 1, said: '' });
    await writeFile(join(folder, 'package-lock.json'), '{ "changed": true }');
    expect(await install()).toMatchObject({ code: 0, calls: 2 });
    const stamp = await readFile(join(folder, 'node_modules/.sealift-install'), 'utf8');
    expect(stamp).toContain(createHash('sha256').update('{ "changed": true }').digest('hex'));
  });

  test('a failed install says what npm said, fails, and is tried again', async () => {
    await writeFile(join(folder, 'npm-fails'), '');
    const failed = await install();
    expect(failed.code).toBe(1);
    expect(failed.said).toContain('npm error network\nsealift: npm ci failed');
    await rm(join(folder, 'npm-fails'));
    expect(await install()).toMatchObject({ code: 0, calls: 2 });
  });
});
