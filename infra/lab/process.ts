import { readFileSync } from './fs.ts';

/** A process by pid and start time: pids are used again, the pair is not (until a reboot of the machine). */
export interface ProcessRef {
  pid: number;
  /** Clock ticks after boot, field 22 of /proc/PID/stat. */
  startTicks: number;
}

export interface ProcessFacts extends ProcessRef {
  /** R, S, D, T, Z, …: proc_pid_stat(5). */
  letter: string;
  cpuSeconds: number;
}

const ticksPerSecond = 100;

/** What /proc says of `pid`, or null when there is no such process or only its zombie, which holds no file any more. */
export function processFacts(pid: number): ProcessFacts | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
  } catch {
    return null;
  }
  // The command may hold blanks and brackets; the last bracket ends it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const letter = fields[0] ?? 'X';
  if (letter === 'Z' || letter === 'X') return null;
  return {
    pid,
    letter,
    startTicks: Number(fields[19]),
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond,
  };
}

/** The process of `ref` if it still lives. */
export function livingProcess(ref: ProcessRef): ProcessFacts | null {
  const facts = processFacts(ref.pid);
  return facts !== null && facts.startTicks === ref.startTicks ? facts : null;
}

/** This process. */
export function thisProcess(): ProcessRef {
  const facts = processFacts(process.pid);
  if (facts === null) throw new Error('/proc does not show this process');
  return { pid: facts.pid, startTicks: facts.startTicks };
}

/** Sends a signal to the process of `ref`, and to no later one with its pid; false when it is gone. */
export function signalProcess(ref: ProcessRef, signal: NodeJS.Signals): boolean {
  if (livingProcess(ref) === null) return false;
  try {
    return process.kill(ref.pid, signal);
  } catch {
    return false;
  }
}
