import { processesThat, read, target } from '../storage/processes.ts';
import type { Process } from '../storage/processes.ts';
import type { Intent } from './intents.ts';

const variable = 'SEALIFT_INTENT';

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
export async function orphansOf(lineage: string, id?: number): Promise<Process[]> {
  const own = String(process.pid);
  return processesThat((pid) => {
    const entries = pid === own ? [] : read(`/proc/${pid}/environ`).split('\0');
    return entries.some((entry) => matches(entry, lineage, id)) && hasPipe(pid);
  });
}

function matches(entry: string, lineage: string, id: number | undefined): boolean {
  const prefix = `${variable}=${lineage}/`;
  return id === undefined ? entry.startsWith(prefix) : entry === `${prefix}${String(id)}`;
}

function hasPipe(pid: string): boolean {
  return /^(pipe|socket):/.test(target(`/proc/${pid}/fd/1`));
}
