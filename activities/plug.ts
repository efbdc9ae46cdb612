import type { DeedRecord } from '../deed/record.ts';
import { awaitGone, domainsOf, onlyDomain } from '../xen/gone.ts';
import type { Host } from './host.ts';

/** How long a destroyed domain may be dying. */
const dyingLimitMs = 30_000;

/** Destroys the VM's domain, when there is one, and waits until it is gone. */
export async function pullPlug(
  host: Host,
  { vmUuid: uuid }: DeedRecord,
  env: Record<string, string>,
): Promise<Awaited<ReturnType<typeof awaitGone>>> {
  const before = await domainsOf(host.toolstack, { uuid });
  const domain = onlyDomain(before);
  if (domain !== null) await host.toolstack.destroy(domain, { env });
  return awaitGone(host.toolstack, { uuid, before }, { limitMs: dyingLimitMs });
}
