import { readdir, readFile, readlink } from 'node:fs/promises';
import { z } from 'zod';
import type { PendingCommand } from './toolstack.ts';

const variable = 'SEALIFT_XL_COMMAND';
const mark = z.tuple([z.string(), z.string(), z.string()]);

/** The environment by which a command is found again when the worker that began it is dead. */
export function commandMark(owner: string, verb: string, target: string): Record<string, string> {
  return { [variable]: JSON.stringify([owner, verb, target]) };
}

/**
 * The processes of this machine that carry `owner`'s mark and still have the pipe that they were given as standard output.
 * The process that xl leaves behind to watch a domain inherits the mark but writes to a log, so it is not among them.
 */
export async function pendingCommands(owner: string): Promise<PendingCommand[]> {
  const pids = (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry));
  const found = await Promise.all(pids.map((pid) => readPending(Number(pid), owner)));
  return found.filter((command) => command !== null);
}

async function readPending(pid: number, owner: string): Promise<PendingCommand | null> {
  try {
    const environment = await readFile(`/proc/${String(pid)}/environ`, 'utf8');
    const entry = environment.split('\0').find((one) => one.startsWith(`${variable}=`));
    if (entry === undefined) return null;
    const [owned, verb, target] = mark.parse(JSON.parse(entry.slice(variable.length + 1)));
    if (owned !== owner) return null;
    const output = await readlink(`/proc/${String(pid)}/fd/1`);
    return /^(pipe|socket):/.test(output) ? { pid, verb, target } : null;
  } catch {
    // Ended while it was read, or another user's: neither is a command of ours.
    return null;
  }
}
