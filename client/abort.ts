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
    if (!isOver(error)) throw error;
    const left = await findLeftRun(link, uuid);
    if (left === null) throw error;
    const { host, migrationId, peer } = left;
    const { restarted } = await askHost(link, host, 'abortRun', { migrationId });
    // Good to have only: the landing keeps nothing but space and a slot.
    if (peer !== null) await askHost(link, peer, 'closeLanding', { migrationId }).catch(() => undefined);
    return { outcome: 'aborted', restarted };
  }
}

/** What an abort would end at the hosts themselves, whatever Temporal knows; null when there is nothing. */
export async function findLeftRun(
  link: Link,
  uuid: string,
): Promise<{ host: string; migrationId: string; peer: string | null } | null> {
  const { vms } = await listVms(link);
  const states = ['holder', 'receiving'];
  for (const { host } of vms.filter(({ vmUuid, deed }) => vmUuid === uuid && states.includes(deed?.state ?? ''))) {
    const { run } = await askHost(link, host, 'inspectVm', { vm: uuid });
    if (run !== null) return { host, ...run };
  }
  return null;
}

/** No workflow is open: one that is refuses an abort too, past its point of no return. */
function isOver(error: unknown): boolean {
  if (!isSealiftError(error)) return false;
  if (error.type === 'unknown-run' || error.type === 'ended') return true;
  return error.type === 'abort-refused' && isSealiftError(error.cause) && error.cause.type === 'unknown-run';
}
