import { readdir, readFile, readlink } from 'node:fs/promises';
import type { Intent } from './intents.ts';

const variable = 'SEALIFT_INTENT';

/** A process of a command of ours that has not ended. */
export interface Orphan {
  pid: number;
  command: string;
}

/**
 * Variables for a command that is launched under an intent: processes inherit them, however often they fork and whoever their
 * parent is, so that a worker which comes after the one that was killed still finds them.
 */
export function intentEnvironment({ lineage, id }: Pick<Intent, 'lineage' | 'id'>): Record<string, string> {
  return { [variable]: `${lineage}/${String(id)}` };
}

/**
 * The processes that may still take effect of commands launched for a VM; `id` narrows them to those of one intent. They have the
 * pipe that the command was given as standard output, or inherited it. What `xl create` leaves in the background for the life of the
 * domain writes to a log and is not among them: it ends with the domain, which a fence proves to be gone.
 */
export async function orphansOf(lineage: string, id?: number): Promise<Orphan[]> {
  const found: Orphan[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    if (pid === String(process.pid)) continue;
    const entries = (await read(`/proc/${pid}/environ`)).split('\0');
    if (!entries.some((entry) => matches(entry, lineage, id)) || !(await hasPipe(pid))) continue;
    found.push({ pid: Number(pid), command: (await read(`/proc/${pid}/comm`)).trim() });
  }
  return found;
}

function matches(entry: string, lineage: string, id: number | undefined): boolean {
  const prefix = `${variable}=${lineage}/`;
  return id === undefined ? entry.startsWith(prefix) : entry === `${prefix}${String(id)}`;
}

async function hasPipe(pid: string): Promise<boolean> {
  const output = await readlink(`/proc/${pid}/fd/1`).catch(() => '');
  return /^(pipe|socket):/.test(output);
}

/** A process that ended meanwhile, or is another user's, reads as nothing. */
async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return '';
  }
}
