// `node infra/node24.mjs FILE.ts …` runs FILE.ts under the Node that the sources are written for. npm puts
// node_modules/.bin first on PATH, so that `node` is that one already; where it does not (an older npm, a script started
// by hand), the file is run by a child.
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';

const [, , file, ...args] = process.argv;
if (file === undefined) throw new Error('usage: node infra/node24.mjs FILE.ts [ARGUMENT…]');

if (Number.parseInt(process.versions.node, 10) >= 24) {
  process.argv = [process.execPath, resolve(file), ...args];
  await import(pathToFileURL(resolve(file)).href);
} else {
  const node = fileURLToPath(new URL('../node_modules/.bin/node', import.meta.url));
  const child = spawn(node, [file, ...args], { stdio: 'inherit' });
  // The terminal sends Ctrl-C to both; this one must outlive the child to pass its exit code on.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('error', (error) => {
    process.stderr.write(`sealift: ${error.message}\nhint: run npm ci first\n`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    process.exit(code ?? (signal === 'SIGINT' ? 130 : 1));
  });
}
