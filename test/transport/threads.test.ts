import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { execa } from 'execa';

const root = join(import.meta.dirname, '../..');
/** Prints what the module named on the command line loads, itself included; that it cannot run outside of a thread does not matter. */
const listLoads = `
  import { registerHooks } from 'node:module';
  const loaded = [];
  registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) });
  await import(process.argv[1]).catch(() => undefined);
  process.stdout.write(loaded.filter((url) => url.startsWith('file:')).join('\\n'));
`;

// Every package that a thread loads, each thread of each move has in memory once more: zod 9 MiB, age 10 MiB.
test.each(['landing-thread', 'sender-thread'])('the module graph of %s holds no package', async (name) => {
  const path = join(root, `transport/${name}.ts`);
  const { stdout } = await execa(process.execPath, ['--input-type=module', '-e', listLoads, path], { cwd: root });
  const loaded = stdout.split('\n');
  expect(loaded).toContain(`file://${join(root, 'transport/control.ts')}`);
  expect(loaded.filter((url) => url.includes('/node_modules/'))).toEqual([]);
});
