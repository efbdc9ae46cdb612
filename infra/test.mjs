// `npm test [-- JEST ARGUMENTS]`: the whole of test/ by jest, within a limit, so that a hanging test ends in a message and
// not in a hanging machine. Plain JavaScript: `npm` of an old Node may start it.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const limitSeconds = Number(process.env.SEALIFT_TEST_LIMIT_SECONDS ?? 355);
const node24 = Number.parseInt(process.versions.node, 10) >= 24;

const jest = spawn(
  node24 ? process.execPath : join(root, 'node_modules', '.bin', 'node'),
  [
    '--experimental-vm-modules', // jest runs ES modules only with it
    '--disable-warning=ExperimentalWarning',
    join(root, 'node_modules', 'jest', 'bin', 'jest.js'),
    ...process.argv.slice(2),
  ],
  { cwd: root, stdio: 'inherit' },
);

const limit = setTimeout(() => {
  process.stderr.write(`sealift: the tests did not end within ${String(limitSeconds)} s\n`);
  jest.kill('SIGTERM');
  setTimeout(() => jest.kill('SIGKILL'), 5_000).unref();
}, limitSeconds * 1000);

process.on('SIGINT', () => undefined); // the terminal has sent it to jest too, whose exit code ends this
process.on('SIGTERM', () => jest.kill('SIGTERM'));
jest.on('error', (error) => {
  process.stderr.write(`sealift: ${error.message}\nhint: run npm ci first\n`);
  process.exit(1);
});
jest.on('exit', (code) => {
  clearTimeout(limit);
  process.exit(code ?? 1);
});
