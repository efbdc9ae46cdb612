import { dom0 } from './dom0.ts';

/** A process of dom0. */
export interface Process {
  pid: number;
  command: string;
}

/** The processes of those numbers, with what they are called. */
export async function processesOf(pids: readonly number[]): Promise<Process[]> {
  if (pids.length === 0) return [];
  const names = await dom0().readEach('/proc/[0-9]*/comm');
  return pids.map((pid) => ({ pid, command: names.get(`/proc/${String(pid)}/comm`)?.trim() ?? 'unknown' }));
}
