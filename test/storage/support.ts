import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { createInterface } from 'node:readline';
import { afterEach } from '@jest/globals';
import { execa, execaSync } from 'execa';

type Ending = () => unknown;
const endings: Ending[] = [];

/** Runs after the present test, last one first, whatever the outcome. */
export function atEnd(act: Ending): void {
  endings.push(act);
}

afterEach(async () => {
  for (const act of endings.splice(0).reverse()) await act();
});

/** A fresh folder under the system's temporary one (or `parent`), removed after the test. */
export function makeFolder(parent = tmpdir()): string {
  const folder = realpathSync(mkdtempSync(join(parent, 'sealift-storage-')));
  atEnd(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/** Starts a program of `fixtures/` in a Node process of its own, killed after the test. */
export function startProgram(name: string, ...args: string[]) {
  const child = execa(process.execPath, [join(import.meta.dirname, 'fixtures', name), ...args], { reject: false });
  atEnd(async () => {
    child.kill('SIGKILL');
    await child;
  });
  return child;
}

/** The lines of a child's output as they come. */
export function linesOf(stream: Readable): AsyncIterator<string> {
  return createInterface({ input: stream })[Symbol.asyncIterator]();
}

/** Whether this machine lets us attach loop devices and mount. */
export const canMount = (() => {
  if (process.getuid?.() !== 0) return false;
  const probe = mkdtempSync(join(tmpdir(), 'sealift-storage-'));
  const mounted = execaSync('mount', ['-t', 'tmpfs', 'none', probe], { reject: false }).exitCode === 0;
  if (mounted) execaSync('umount', [probe]);
  rmSync(probe, { recursive: true });
  return mounted && execaSync('losetup', ['-f'], { reject: false }).exitCode === 0;
})();
/** Stands at the end of a test's name where it may be skipped. */
export const needsRoot = '(needs root, mount and loop devices)';

/** Attaches a file as a block device until the end of the test; returns the device's path. */
export async function attachLoop(file: string, ...options: string[]): Promise<string> {
  const { stdout: device } = await execa('losetup', ['--find', '--show', ...options, file]);
  atEnd(() => execa('losetup', ['--detach', device], { reject: false }));
  return device;
}

/** Mounts by `mount <args> <folder>` until the end of the test; returns the folder. */
export async function mountAt(...args: string[]): Promise<string> {
  const folder = makeFolder();
  await execa('mount', [...args, folder]);
  atEnd(() => execa('umount', ['--lazy', folder]));
  return folder;
}
