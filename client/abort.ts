import { isSealiftError } from '../domain/error.ts';
import type { AbortAnswer } from '../workflows/contract.ts';
import { askHost } from './ask-host.ts';
import type { Link } from './link.ts';
import { listVms } from './vms.ts';

/**
 * Aborts a VM's move by its workflow or, when no workflow is open although a host still has the move's run, at the hosts
 * themselves: a workflow that was terminated undid nothing.
 */
export async function abortMove(
  link: Link,
  uuid: string,
  byWorkflow: () => Promise<AbortAnswer>,
): Promise<AbortAnswer> {
  try {
    return await byWorkflow();
  } catch (error) {
    if (!isSealiftError(error) || !workflowIsOver.has(error.type)) throw error;
    const answer = await abortAtHosts(link, uuid);
    if (answer === null) throw error;
    return answer;
  }
}

const workflowIsOver: ReadonlySet<string> = new Set(['unknown-run', 'abort-refused', 'ended']);

/** Null when no host has anything to abort. */
async function abortAtHosts(link: Link, uuid: string): Promise<AbortAnswer | null> {
  const { vms } = await listVms(link);
  const states = ['holder', 'receiving'];
  for (const { host } of vms.filter(({ vmUuid, deed }) => vmUuid === uuid && states.includes(deed?.state ?? ''))) {
    const { run } = await askHost(link, host, 'inspectVm', { vm: uuid });
    if (run === null) continue;
    const { migrationId, peer } = run;
    const { restarted } = await askHost(link, host, 'abortRun', { migrationId });
    // Good to have only: the landing keeps nothing but space and a slot.
    if (peer !== null) await askHost(link, peer, 'closeLanding', { migrationId }).catch(() => undefined);
    return { outcome: 'aborted', restarted };
  }
  return null;
}
