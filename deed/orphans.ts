import { dom0 } from '../dom0/dom0.ts';
import { processesOf } from '../dom0/processes.ts';
import type { Process } from '../dom0/processes.ts';
import { notThere } from '../dom0/system-errors.ts';
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
  const prefix = `${variable}=${lineage}/`;
  const pids: number[] = [];
  for (const path of await dom0().filesWith('/proc/[0-9]*/environ', prefix)) {
    const pid = Number(path.split('/')[2]);
    if (pid !== dom0().pid && (await isOf(path, prefix, id)) && (await hasPipe(pid))) pids.push(pid);
  }
  return processesOf(pids);
}

async function isOf(path: string, prefix: string, id: number | undefined): Promise<boolean> {
  const entries = ((await dom0().readFile(path).catch(notThere))?.toString('utf8') ?? '').split('\0');
  return entries.some((entry) => (id === undefined ? entry.startsWith(prefix) : entry === `${prefix}${String(id)}`));
}

async function hasPipe(pid: number): Promise<boolean> {
  const target = await dom0()
    .readlink(`/proc/${String(pid)}/fd/1`)
    .catch(notThere);
  return target !== null && /^(pipe|socket):/.test(target);
}
