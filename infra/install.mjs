// Runs before `npm start`, `npm test` and `npm run check`, on whatever Node the machine has (20 or newer), so: plain
// JavaScript, no dependency. Installs what package-lock.json names, when node_modules does not hold it already.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const stamp = join(root, 'node_modules', '.sealift-install');
const limitMs = 15 * 60_000;

if (!isInstalled()) install();

/** Whether node_modules was made by an `npm ci` that ended, from this very lock file and for this machine. */
function isInstalled() {
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted();
}

/** The stamp that an install of the present lock file leaves. */
function wanted() {
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  return `${lock} ${process.platform}-${process.arch}\n`;
}

function install() {
  const began = Date.now();
  process.stderr.write('sealift: installing what package-lock.json names (npm ci, about a minute) …\n');
  // `npm ci` would keep to a production setting of the user's environment; the tools of this folder are development dependencies.
  const npm = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  const { npm_execpath: npmCli } = process.env;
  const [command, args] = npmCli?.endsWith('.js') ? [process.execPath, [npmCli, ...npm]] : ['npm', npm];
  const result = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: limitMs,
  });
  if (result.status !== 0) {
    fail([result.stdout, result.stderr, result.error?.message].filter(Boolean).join('').trim(), 'npm ci failed');
  }
  const node = spawnSync(join(root, 'node_modules', '.bin', 'node'), ['--version'], { encoding: 'utf8' });
  if (node.status !== 0) {
    fail(
      'hint: the npm package "node" brings it by an install script; is ignore-scripts set? (npm config get ignore-scripts)',
      'npm ci ended, but node_modules/.bin/node does not run',
    );
  }
  writeFileSync(stamp, wanted());
  const seconds = Math.round((Date.now() - began) / 1000);
  process.stderr.write(
    `sealift: installed in ${String(seconds)} s (Node ${node.stdout.trim()} runs from node_modules)\n`,
  );
}

/** @param {string} detail @param {string} message */
function fail(detail, message) {
  process.stderr.write(`${detail}\nsealift: ${message}\n`);
  process.exit(1);
}
