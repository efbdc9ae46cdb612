import { readFileSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';

/** A process of this machine. */
export interface Process {
  pid: number;
  command: string;
}

/** So many processes are looked at before others get their turn: some milliseconds. */
const perTurn = 64;

/**
 * The processes that `matches`. Reading /proc is reading memory: one system call after another in this thread takes a tenth of the
 * time that the same calls take one by one through the pool of threads.
 */
export async function processesThat(matches: (pid: string) => boolean): Promise<Process[]> {
  const found: Process[] = [];
  for (const [index, pid] of list('/proc').entries()) {
    if (index % perTurn === perTurn - 1) await turn();
    if (!/^\d+$/.test(pid) || !matches(pid)) continue;
    found.push({ pid: Number(pid), command: read(`/proc/${pid}/comm`).trim() || 'unknown' });
  }
  return found;
}

/** The entries of a folder of the kernel's; those of a process that ended meanwhile, or is another user's, are none. */
export function list(folder: string): string[] {
  return orElse([], () => readdirSync(folder));
}

/** A file of the kernel's; '' like `list`. */
export function read(path: string): string {
  return orElse('', () => readFileSync(path, 'utf8'));
}

/** Where a link of the kernel's points to; '' like `list`. */
export function target(path: string): string {
  return orElse('', () => readlinkSync(path));
}

/** What a file is, through links; null like `list`. */
export function statOrNull(path: string): BigIntStats | null {
  return orElse(null, () => statSync(path, { bigint: true, throwIfNoEntry: false }) ?? null);
}

function orElse<Result>(none: Result, look: () => Result): Result {
  try {
    return look();
  } catch {
    return none;
  }
}
