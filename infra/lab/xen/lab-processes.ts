import { readFileSync, readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { until } from '../patience.ts';
import { signalProcess, processFacts } from '../process.ts';
import type { ProcessRef } from '../process.ts';

const programs = ['qemu-system-x86_64', 'tgtd'];
const endLimitMs = 20_000;

/** The programs of a lab that have a file below `folder` in their arguments, whoever started them. */
export function labProcesses(folder: string): ProcessRef[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map((pid) => processFacts(Number(pid)))
    .filter((facts) => facts !== null)
    .filter(({ pid }) => {
      const [program = '', ...args] = words(pid);
      return programs.includes(basename(program)) && args.some((arg) => arg.includes(`${folder}/`));
    });
}

/** Kills them at once, as a power cut would, and waits until none is left. */
export async function killLabProcesses(folder: string): Promise<void> {
  const gone = await until(endLimitMs, () => {
    const left = labProcesses(folder);
    for (const ref of left) signalProcess(ref, 'SIGKILL');
    return left.length === 0;
  });
  if (!gone) throw new Error(`processes with files in ${folder} do not end`);
}

function words(pid: number): string[] {
  try {
    return readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}
