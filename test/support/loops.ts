import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa, execaSync } from 'execa';

let taken = 0;

/** A loop device that no `losetup --find` of another test takes before its lower neighbours: free by number, for this process alone. */
export function privateLoop(): string {
  taken += 1;
  return `/dev/loop${String(256 + (process.pid % 4096) * 16 + taken)}`;
}

/** Gives a file to a loop device. */
export async function attach(device: string, file: string, ...options: string[]): Promise<void> {
  await execa('losetup', [...options, device, file]);
}

/** Takes whatever it has from a loop device, and the device away. */
export async function detach(device: string): Promise<void> {
  await execa('losetup', ['--detach', device], { reject: false });
}

/** Whether this machine lets us attach files to loop devices and make them immutable. */
export const canLoop = (() => {
  if (process.geteuid?.() !== 0) return false;
  const folder = mkdtempSync(join(tmpdir(), 'sealift-loop-'));
  const file = join(folder, 'disk');
  const device = privateLoop();
  try {
    writeFileSync(file, '');
    truncateSync(file, 4096);
    const attached = !execaSync('losetup', [device, file], { reject: false }).failed;
    if (attached) execaSync('losetup', ['--detach', device]);
    const kept = !execaSync('chattr', ['+i', file], { reject: false }).failed;
    if (kept) execaSync('chattr', ['-i', file]);
    return attached && kept;
  } finally {
    rmSync(folder, { recursive: true });
  }
})();

/** Stands at the end of a test's name where it may be skipped. */
export const needsLoops = '(needs root, loop devices and chattr +i)';
