import { readFile } from 'node:fs/promises';

/** The most memory that a process has held, in MiB (VmHWM of /proc/PID/status). */
export async function peakMib(pid: number): Promise<number> {
  const status = await readFile(`/proc/${String(pid)}/status`, 'utf8');
  return Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024;
}
