import { SealiftError } from '../domain/error.ts';
import type { DeedWord } from '../domain/deed-report.ts';
import type { Claim, Signed } from '../domain/statement.ts';
import { askAll, askHost } from './ask-host.ts';
import { hostNames } from './hosts.ts';
import type { Link } from './link.ts';
import type { DeedView } from './types.ts';

/** See `Sealift.deed`. */
export async function readDeed(link: Link, vm: string): Promise<DeedView> {
  const names = await hostNames(link);
  const first = await reportsOf(link, names, { vm, peers: [] });
  const uuid = first.reports[0]?.vmUuid;
  if (uuid === undefined) {
    const silent = first.away.length > 0 ? `, and ${first.away.join(', ')} cannot be asked` : '';
    throw new SealiftError('unknown-vm', `no host knows a VM ${vm}${silent}`);
  }
  const peers = first.reports.map(({ host, identity, record, statements }) => ({ host, identity, record, statements }));
  return reportsOf(link, names, { vm: uuid, peers });
}

/** Shows a host's claims to others, and gives those that they have. One that does not answer is named: it may know of a claim. */
export async function exchangeClaims(
  link: Link,
  hosts: string[],
  claims: Signed<Claim>[],
): Promise<{ claims: Signed<Claim>[]; away: string[] }> {
  const { answers, away } = await askAll(hosts, (host) => askHost(link, host, 'exchangeClaims', { claims }));
  return { claims: answers.flatMap(({ answer }) => answer.claims), away };
}

async function reportsOf(link: Link, names: string[], ask: { vm: string; peers: DeedWord[] }): Promise<DeedView> {
  const { answers, away } = await askAll(names, (host) => askHost(link, host, 'deedReport', ask));
  return { reports: answers.flatMap(({ answer }) => answer ?? []), away };
}
