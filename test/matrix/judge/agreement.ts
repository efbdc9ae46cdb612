import { existsSync, lstatSync } from 'node:fs';
import { join } from 'node:path';
import type { ObservedBoot } from '../../../infra/lab/observer.ts';
import { until } from '../../../infra/lab/patience.ts';
import { xl } from '../../support/world.ts';
import type { TestHost, World } from '../../support/world.ts';
import type { HostRecords } from './host-records.ts';
import { readHostRecords } from './host-records.ts';
import type { Suspect } from './suspect.ts';

/** A guest writes all the time, unless somebody has paused it. */
const guestLimitMs = 10_000;

/** What was seen of a VM's end by whoever asked for it. */
export interface Ended {
  /** Where the workflow's own end says that the VM is now; null when it says nothing. */
  at: TestHost | null;
  /** Whether the VM is to run now. */
  runs: boolean;
}

/** The host that holds the VM by its own record; a complaint when it is not exactly one. */
export function holderOf(
  hosts: { at: TestHost; records: HostRecords }[],
  { vm }: Suspect,
): { holder: { at: TestHost; records: HostRecords } | null; complaints: string[] } {
  const states = hosts.map((host) => ({
    host,
    record: host.records.records.find(({ vmUuid }) => vmUuid === vm.uuid) ?? null,
  }));
  const holders = states.filter(({ record }) => record?.state === 'holder').map(({ host }) => host);
  const [holder = null] = holders;
  if (holders.length === 1) return { holder, complaints: [] };
  const told = states.map(({ host, record }) => `${host.records.name}: ${record?.state ?? 'no record'}`).join(', ');
  return { holder, complaints: [`${vm.name} has ${String(holders.length)} holders (${told})`] };
}

/**
 * A complaint when two hosts hold the VM at a time, also while it goes on: who holds it by the same token in a second look held it all the
 * time between the two, in which the others were read.
 */
export function judgeHolders(hosts: HostRecords[], lookAgain: () => HostRecords[], { vm }: Suspect): string[] {
  const held = (all: HostRecords[]): Map<string, number> =>
    new Map(
      all.flatMap(({ name, records }) =>
        records
          .filter(({ vmUuid, state }) => vmUuid === vm.uuid && state === 'holder')
          .map(({ token }) => [name, token]),
      ),
    );
  const first = held(hosts);
  if (first.size < 2) return [];
  const second = held(lookAgain());
  const both = [...first].filter(([name, token]) => second.get(name) === token).map(([name]) => name);
  return both.length < 2 ? [] : [`${vm.name} is held at a time by ${both.join(' and ')}`];
}

/** The workflow's end, the hosts' records, their configurations and the processes say the same. */
export async function judgeAgreement(
  world: World,
  suspect: Suspect,
  hosts: { at: TestHost; records: HostRecords }[],
  holder: { at: TestHost; records: HostRecords },
  ended: Ended,
): Promise<string[]> {
  const { vm } = suspect;
  const here = holder.at.host.name;
  const complaints: string[] = [];
  if (ended.at !== null && ended.at !== holder.at)
    complaints.push(`${vm.name}: the workflow ended with it on ${ended.at.host.name}, the records say ${here}`);
  const record = holder.records.records.find(({ vmUuid }) => vmUuid === vm.uuid);
  if (record !== undefined && record.runToken !== 0)
    complaints.push(`${vm.name}: run ${String(record.runToken)} is still open on ${here}`);
  const living = world.observer.living(vm.uuid);
  for (const { root } of living) {
    if (root !== holder.at.host.lab.root) complaints.push(`${vm.name} runs in ${root}, and ${here} holds it`);
  }
  if (ended.runs !== living.length > 0)
    complaints.push(`${vm.name} ${ended.runs ? 'does not run' : 'runs'} on ${here}, its holder`);
  for (const boot of ended.runs ? living : []) {
    const told = boot.records.length;
    if (!(await until(guestLimitMs, () => boot.records.length > told)))
      complaints.push(`${vm.name} has a domain on ${here} and its guest does nothing`);
  }
  for (const { at, records } of hosts) {
    const isHolder = at === holder.at;
    const listed = (await xl(at, 'list', vm.name)).exitCode === 0;
    const observed = living.some(({ root }) => root === at.host.lab.root);
    if (listed !== observed)
      complaints.push(
        `${vm.name}: xl list of ${records.name} ${listed ? 'has' : 'lacks'} it, and its process ${observed ? 'lives' : 'is gone'}`,
      );
    for (const path of [`${vm.name}.cfg`, `auto/${vm.name}.cfg`].map((name) => join(at.host.lab.etcFolder, name))) {
      const there = existsSync(path) || isLink(path);
      if (there !== isHolder)
        complaints.push(`${vm.name}: ${path} is ${there ? '' : 'not '}there, and ${here} holds it`);
    }
    for (const { lineage, what } of records.intents) {
      if (lineage === record?.lineage)
        complaints.push(`${vm.name}: ${records.name} does not know whether ${what} has ended`);
    }
  }
  return complaints;
}

/** While it goes on: a domain that begins does so at a host whose own record gives it the right (I1). */
export function judgeBoot(hosts: TestHost[], boot: ObservedBoot): string[] {
  const states = hosts.map((at) => ({
    at,
    record: readHostRecords(at).records.find(({ vmUuid }) => vmUuid === boot.uuid) ?? null,
  }));
  // A VM that was never adopted is nobody's business.
  if (states.every(({ record }) => record === null)) return [];
  const here = states.find(({ at }) => at.host.lab.root === boot.root);
  if (here?.record?.state === 'holder') return [];
  const told = states.map(({ at, record }) => `${at.host.name}: ${record?.state ?? 'no record'}`).join(', ');
  return [`${boot.name} was started in ${boot.root}, which does not hold it (${told})`];
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
