import { readdir, readFile } from 'node:fs/promises';
import type { Intent } from './intents.ts';

const variable = 'SEALIFT_INTENT';

/** A process that a command of ours left behind. */
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
 * The processes that are still there of commands launched for a VM; `id` narrows them to those of one intent. What `xl create`
 * leaves in the background for the life of the domain is among them, so a fence finds none only after the domain is gone.
 */
export async function orphansOf(lineage: string, id?: number): Promise<Orphan[]> {
  const found: Orphan[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    if (pid === String(process.pid)) continue;
    const entries = (await read(`/proc/${pid}/environ`)).split('\0');
    if (!entries.some((entry) => matches(entry, lineage, id))) continue;
    found.push({ pid: Number(pid), command: (await read(`/proc/${pid}/comm`)).trim() });
  }
  return found;
}

function matches(entry: string, lineage: string, id: number | undefined): boolean {
  const prefix = `${variable}=${lineage}/`;
  return id === undefined ? entry.startsWith(prefix) : entry === `${prefix}${String(id)}`;
}

/** A process that ended meanwhile, or is another user's, reads as nothing. */
async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return '';
  }
}
