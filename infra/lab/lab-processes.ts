import { readdirSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SealiftError } from '../../domain/error.ts';
import { until } from './patience.ts';

const programs = ['xl', 'xl.ts', 'xl.js', 'domain.ts', 'domain.js'];
const endLimitMs = 20_000;

/** The pids of every domain and every running `xl` of the stand-in host under `root`, orphans included. */
export function labProcesses(root: string): number[] {
  const own = new Set(programs.map((program) => join(dirname(fileURLToPath(import.meta.url)), program)));
  const marker = `SEALIFT_LAB_ROOT=${realpathSync(root)}`;
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => pid !== process.pid && words(pid, 'cmdline').some((word) => own.has(word)))
    .filter((pid) => words(pid, 'environ').includes(marker));
}

/** Kills them all, and those that they start meanwhile. Throws when some cannot be killed. */
export async function killLabProcesses(root: string): Promise<void> {
  const gone = await until(endLimitMs, () => {
    const pids = labProcesses(root);
    for (const pid of pids) kill(pid);
    return pids.length === 0;
  });
  if (!gone)
    throw new SealiftError(
      'internal',
      `processes of the stand-in host ${root} do not end: ${labProcesses(root).join(', ')}`,
    );
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself; the next look will tell.
  }
}

/** A file of /proc whose words end in zero bytes; none for a process that is gone, a zombie or another user's. */
function words(pid: number, file: 'cmdline' | 'environ'): string[] {
  try {
    return readFileSync(`/proc/${String(pid)}/${file}`, 'utf8').split('\0');
  } catch {
    return [];
  }
}
