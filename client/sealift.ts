import type { Receipt } from '../domain/receipt.ts';
import { askAll, askHost } from './ask-host.ts';
import { listGarbage, removeGarbage } from './garbage.ts';
import { readDeed } from './deed.ts';
import { findMove } from './handle.ts';
import { hostNames, listHosts } from './hosts.ts';
import type { Link } from './link.ts';
import { listMoves } from './list.ts';
import { finish, migrate, plan, planRevert, revert } from './moves.ts';
import { createSchedules } from './schedules.ts';
import type { Sealift } from './types.ts';
import { adoptVm, inspectVm, listVms } from './vms.ts';

/** Puts the client's parts together over one connection. */
export function createSealift(link: Link): Sealift {
  return {
    address: link.address,
    namespace: link.client.options.namespace,
    migrate: (request) => migrate(link, request),
    handle: (vm) => findMove(link, vm),
    plan: (request) => plan(link, request),
    planRevert: (vm) => planRevert(link, vm),
    revert: (request) => revert(link, request),
    finish: (request) => finish(link, request),
    list: (filter) => listMoves(link, filter),
    claims: async (host) => (await askHost(link, host, 'exchangeClaims', { claims: [] })).told,
    hosts: () => listHosts(link),
    vms: (host) => listVms(link, host),
    inspect: ({ vm, host }) => inspectVm(link, vm, host),
    deed: (vm) => readDeed(link, vm),
    adopt: (request) => adoptVm(link, request),
    garbage: (host) => listGarbage(link, host),
    removeGarbage: (request) => removeGarbage(link, request),
    receipts: (filter) => findReceipts(link, filter),
    schedules: createSchedules(link),
    close: () => link.client.connection.close(),
  };
}

/** Both hosts of a move keep its receipt; the one with more signatures is given. */
async function findReceipts(
  link: Link,
  filter: { vm?: string; migrationId?: string; host?: string } = {},
): Promise<Receipt[]> {
  const { host, ...ask } = filter;
  const hosts = host === undefined ? await hostNames(link) : [host];
  const read = async (name: string): Promise<Receipt[]> => askHost(link, name, 'findReceipts', ask);
  const found =
    host === undefined ? (await askAll(hosts, read)).answers.flatMap((one) => one.answer) : await read(host);
  const best = new Map<string, Receipt>();
  const signatures = (one: Receipt): number =>
    Number(one.signatures.source !== null) + Number(one.signatures.destination !== null);
  for (const one of found) {
    const known = best.get(one.body.migrationId);
    if (known === undefined || signatures(one) > signatures(known)) best.set(one.body.migrationId, one);
  }
  const endOf = (one: Receipt): string => one.body.phases.at(-1)?.at ?? '';
  return [...best.values()].sort((a, b) => endOf(b).localeCompare(endOf(a)));
}
