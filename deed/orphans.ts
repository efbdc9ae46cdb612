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
  const own = await dom0().ownPids();
  // Among its arguments the variable is while a session of SSH is on the way to become the command.
  const looks = await Promise.all(
    ['environ', 'cmdline'].map((file) => dom0().filesWith(`/proc/[0-9]*/${file}`, prefix)),
  );
  const pids = new Set<number>();
  for (const path of looks.flat()) {
    const pid = Number(path.split('/')[2]);
    if (!own.has(pid) && (await isOf(path, prefix, id)) && (await hasPipe(pid))) pids.add(pid);
  }
  return processesOf([...pids]);
}

async function isOf(path: string, prefix: string, id: number | undefined): Promise<boolean> {
  const text = (await dom0().readFile(path).catch(notThere))?.toString('utf8') ?? '';
  const ids = [...text.matchAll(new RegExp(`${prefix}(\\d+)`, 'g'))].map(([, found]) => Number(found));
  return id === undefined ? ids.length > 0 : ids.includes(id);
}

async function hasPipe(pid: number): Promise<boolean> {
  const target = await dom0()
    .readlink(`/proc/${String(pid)}/fd/1`)
    .catch(notThere);
  return target !== null && /^(pipe|socket):/.test(target);
}
