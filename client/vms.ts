import type { VmReport } from '../activities/port.ts';
import { SealiftError } from '../domain/error.ts';
import type { VmSummary } from '../domain/survey.ts';
import { askAll, askHost } from './ask-host.ts';
import { hostNames } from './hosts.ts';
import type { Link } from './link.ts';
import type { AdoptRequest, AdoptResult, VmList, VmOnHost } from './types.ts';

/** All VMs of one host, or of all hosts: running, stopped and fenced ones. */
export async function listVms(link: Link, host?: string): Promise<VmList> {
  if (host !== undefined) {
    const vms = await askHost(link, host, 'listVms');
    return { vms: vms.map((vm) => ({ ...vm, host })), away: [] };
  }
  const { answers, away } = await askAll(await hostNames(link), (name) => askHost(link, name, 'listVms'));
  return { vms: answers.flatMap((one) => one.answer.map((vm) => ({ ...vm, host: one.host }))), away };
}

/** One VM as its host sees it; without a host, the one that holds it. */
export async function inspectVm(link: Link, vm: string, host?: string): Promise<VmReport & { host: string }> {
  const where = host ?? (await holderOf(link, vm)).host;
  return { ...(await askHost(link, where, 'inspectVm', { vm })), host: where };
}

/**
 * The host that holds a VM, found by asking all hosts.
 * @throws 'unknown-vm' when none has it, 'bad-usage' when several may.
 */
export async function holderOf(link: Link, vm: string): Promise<VmOnHost> {
  const { vms, away } = await listVms(link);
  const named = vms.filter((one) => isNamed(one, vm));
  const holders = named.filter((one) => one.deed?.state === 'holder');
  const free = named.filter((one) => !one.fenced && (one.deed === null || one.deed.state === 'none'));
  const candidates = holders.length > 0 ? holders : free;
  const [only] = candidates;
  if (only !== undefined && candidates.length === 1) return only;
  if (candidates.length > 1) {
    throw new SealiftError('bad-usage', `${vm} is on ${candidates.map((one) => one.host).join(' and ')}`, {
      hint: 'name the host, or give the uuid instead of the name',
    });
  }
  const silent = away.length > 0 ? `, and ${away.join(', ')} cannot be asked` : '';
  const onItsWay = named.find((one) => one.deed?.state === 'receiving');
  throw new SealiftError(
    'unknown-vm',
    `no host holds a VM ${vm}${silent}`,
    onItsWay === undefined
      ? {}
      : { hint: `a move of it to ${onItsWay.host} was not ended: sealift revert ${vm} brings it back if it was ceded` },
  );
}

/**
 * Draws a VM's deed on the host where it runs, after asking all other hosts, its peers too, whether they have it.
 * @throws 'adoption-refused' when one has it, or does not answer and is not among `withoutAsking`.
 */
export async function adoptVm(link: Link, ask: AdoptRequest): Promise<AdoptResult> {
  const { summary } = await askHost(link, ask.host, 'inspectVm', { vm: ask.vm });
  const { vmUuid } = summary;
  const { answers, away } = vmUuid === null ? { answers: [], away: [] } : await askOthers(link, vmUuid, [ask.host]);
  const adopted = await askHost(link, ask.host, 'adoptVm', {
    vm: ask.vm,
    by: ask.by,
    elsewhere: answers.filter((one) => one.answer !== null).map((one) => one.host),
    notAsked: away,
    withoutAsking: ask.withoutAsking ?? [],
  });
  return { ...adopted, notAsked: away };
}

/** Asks every host that is registered or trusted by one of `hosts`, but these, whether it has the VM. */
export async function askOthers(
  link: Link,
  vmUuid: string,
  hosts: string[],
): Promise<Awaited<ReturnType<typeof askAll<VmSummary | null>>>> {
  const [registered, ...cards] = await Promise.all([
    hostNames(link),
    ...hosts.map((host) => askHost(link, host, 'hostCard')),
  ]);
  const others = new Set([...registered, ...cards.flatMap((card) => card.peers)]);
  for (const host of hosts) others.delete(host);
  return askAll([...others].sort(), (host) => askHost(link, host, 'seeVm', { vmUuid }));
}

/** @throws 'bad-usage' when a name is that of several VMs: an order must not find its VM by chance. */
export function refuseSeveral(vm: string, named: VmOnHost[]): void {
  const several = new Map(named.map((one) => [one.vmUuid, one.host]));
  if (several.size < 2) return;
  const found = [...several].map(([uuid, host]) => `${uuid ?? 'no uuid'} on ${host}`).join(', ');
  throw new SealiftError('bad-usage', `${vm} is the name of several VMs: ${found}`, {
    hint: 'give the uuid instead of the name',
  });
}

export function isNamed(one: { vmUuid: string | null; vmName: string }, vm: string): boolean {
  return one.vmName === vm || one.vmUuid === vm.toLowerCase();
}
