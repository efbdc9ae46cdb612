import { access, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { z } from 'zod';

const root = new URL('../..', import.meta.url).pathname;
const packageFile = z.object({
  version: z.string(),
  bin: z.record(z.string(), z.string()),
  dependencies: z.record(z.string(), z.string()),
});

describe('the package, packed and installed elsewhere', () => {
  let folder: string;
  let installed: string;
  let version: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sealift-package-'));
    installed = join(folder, 'node_modules/sealift');
    const packed = await execa('npm', ['pack', '--json', '--silent', `--pack-destination=${folder}`], { cwd: root });
    const [tarball] = z.array(z.object({ filename: z.string() })).parse(JSON.parse(packed.stdout));
    await mkdir(installed, { recursive: true });
    await execa('tar', ['-xzf', join(folder, tarball?.filename ?? ''), '--strip-components=1', '-C', installed]);
    const own = packageFile.parse(JSON.parse(await readFile(join(installed, 'package.json'), 'utf8')));
    version = own.version;
    // Only what package.json names as a dependency is there: something else that is imported would not be found.
    for (const name of Object.keys(own.dependencies)) {
      await link(join(root, 'node_modules', name), join(installed, 'node_modules', name));
    }
    for (const [name, path] of Object.entries(own.bin)) {
      await link(join(installed, path), join(folder, 'node_modules/.bin', name));
    }
  }, 180_000);
  afterAll(() => rm(folder, { recursive: true }));

  test('the command runs', async () => {
    const sealift = (...args: string[]) =>
      execa(join(folder, 'node_modules/.bin/sealift'), args, {
        cwd: folder,
        stdin: 'ignore',
        // What `#!/usr/bin/env node` finds is the Node that these tests run on.
        env: { PATH: `${dirname(process.execPath)}:${process.env.PATH ?? ''}` },
      });
    expect((await sealift('--version')).stdout).toBe(version);
    expect((await sealift('--help')).stdout).toContain('migrate [options] <vm>');
    expect((await sealift('help', 'migrate')).stdout).toContain('sealift migrate web-1 --to fra-1');
    const results = join(root, 'test/bench/experiment/fixtures/study');
    expect((await sealift('experiment', 'report', results)).stdout).toContain('17 figures');
    const plans = await readdir(join(installed, 'dist/bench/experiment/plans'));
    expect(plans).toContain('study.toml');
    // Without its source there would be no line.
    await access(join(installed, 'dist/infra/lab/wan/emulator.c'));
  });

  test('the typed client can be imported, by Node and by TypeScript', async () => {
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
    await writeFile(
      join(folder, 'use.ts'),
      [
        `import { connect, isSealiftError } from 'sealift';`,
        `import type { MoveHandle, Receipt } from 'sealift';`,
        `export async function move(): Promise<Receipt> {`,
        `  const sealift = await connect();`,
        `  const handle: MoveHandle = await sealift.migrate({ vm: 'web-1', from: 'lon-1', to: 'fra-1', cutover: 'approve' });`,
        `  for await (const at of handle.progress()) console.log(at.phase, at.verifiedBytes, at.totalBytes);`,
        `  await handle.approve({ by: 'ops@example.org' });`,
        `  return handle.result();`,
        `}`,
        `connect({ address: '127.0.0.1:1', connectMs: 500 }).catch((error: unknown) => {`,
        `  console.log(isSealiftError(error) ? error.type : error);`,
        `});`,
      ].join('\n'),
    );
    const options = ['--module', 'nodenext', '--strict', '--noEmit', '--skipLibCheck', '--types', 'node'];
    const types = ['--typeRoots', join(root, 'node_modules/@types')];
    const tsc = [join(root, 'node_modules/typescript/bin/tsc'), ...options, ...types, 'use.ts'];
    const checked = await execa(process.execPath, tsc, { cwd: folder, reject: false });
    expect(checked.stdout).toBe('');
    const ran = await execa(process.execPath, ['use.ts'], { cwd: folder });
    expect(ran.stdout).toBe('temporal-away');
  }, 60_000);

  test('the workflows can be bundled from what is published', async () => {
    const script = `import { workflowBundle } from ${JSON.stringify(join(installed, 'dist/workers/bundle.js'))};
      console.log(await workflowBundle(${JSON.stringify(join(folder, 'cache'))}));`;
    const { stdout } = await execa(process.execPath, ['--input-type=module', '-e', script], { cwd: folder });
    expect(await readFile(stdout, 'utf8')).toContain('migrateVm');
  }, 60_000);
});

async function link(target: string, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await symlink(target, path);
}
