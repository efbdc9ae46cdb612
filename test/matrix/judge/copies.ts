import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { DeedRun } from '../../../deed/record.ts';
import { configDisks } from '../../../xen/xl-config/disk.ts';
import { parseXlConfig } from '../../../xen/xl-config/parse.ts';
import type { TestHost } from '../../support/world.ts';
import type { HostRecords } from './host-records.ts';
import type { Suspect } from './suspect.ts';

/** The disks that a VM's configuration names on a host, in order; null when the host has no configuration of it. */
export async function configuredDisks({ host }: TestHost, { vm }: Suspect): Promise<string[] | null> {
  const text = await readFile(join(host.lab.etcFolder, `${vm.name}.cfg`), 'utf8').catch(() => null);
  if (text === null) return null;
  return configDisks(parseXlConfig(text, vm.name)).flatMap(({ target }) => (target === null ? [] : [target]));
}

/** SHA-256 of a file, in hexadecimal. */
export async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/** The data disk of the copy that came by a token and was given back; null when gc has removed it. */
export function returnedDataDisk(hosts: HostRecords[], suspect: Suspect, token: number): string | null {
  return hosts.flatMap((host) => returnedDataDisks(host, suspect, token))[0] ?? null;
}

/** The data disks of the copies that a host gave back and that gc has not removed; of the one that came by `token`, when it is given. */
export function returnedDataDisks(host: HostRecords, { vm }: Suspect, token?: number): string[] {
  return runsOf(host, vm.uuid)
    .filter(({ role, state, collected }) => role === 'destination' && state === 'returned' && !collected)
    .filter((run) => token === undefined || run.token === token)
    .flatMap(({ places }) => places?.disks.at(-1)?.path ?? []);
}

/** No copy that nobody gave free for removal has lost a disk or its journal; none that was handed over can be written. */
export async function judgeCopies(hosts: HostRecords[], suspect: Suspect): Promise<string[]> {
  const complaints = hosts.flatMap((host) => judgeGone(host, suspect));
  for (const host of hosts) {
    for (const run of runsOf(host, suspect.vm.uuid)) {
      if (run.collected || run.state !== (run.role === 'source' ? 'ceded' : 'returned')) continue;
      for (const path of pathsOf(run)) {
        if (await opensForWriting(path))
          complaints.push(`${aboutRun(host, suspect, run)}: ${path} was handed over and can be written`);
      }
    }
  }
  return complaints;
}

/** The part of it that also holds while something goes on: source disks and journals are there, but what somebody asked to be removed. */
export function judgeGone(host: HostRecords, suspect: Suspect): string[] {
  const runs = runsOf(host, suspect.vm.uuid);
  // A copy that came back and went again is the copy of several runs.
  const given = new Set(
    runs.filter(({ collected, migrationId }) => collected && suspect.givenFree.has(migrationId)).flatMap(pathsOf),
  );
  return runs
    .filter(({ collected, migrationId }) => !collected || !suspect.givenFree.has(migrationId))
    .flatMap((run) => {
      const about = aboutRun(host, suspect, run);
      if (run.collected) return [`${about}: it was given free for removal, which nobody had asked for`];
      const journal = `${run.role === 'source' ? 'source' : 'landing'} ${run.lineage}/${String(run.token)}`;
      const lost = run.role === 'source' ? pathsOf(run).filter((path) => !existsSync(path) && !given.has(path)) : [];
      return [
        ...(run.notes !== null && !host.journals.has(journal) ? [`${about}: its journal is gone`] : []),
        ...lost.map((path) => `${about}: its source disk ${path} is gone`),
      ];
    });
}

/** The disk that no guest writes to has arrived, or stayed, as it was. */
export async function judgeContent(disks: string[], { vm, content }: Suspect): Promise<string[]> {
  const [first] = disks;
  if (content === null || first === undefined || (await digestOf(first)) === content) return [];
  return [`${vm.name}: the content of ${first} is not what it was`];
}

/** A VM's runs at a host. */
export function runsOf({ runs, records }: HostRecords, vmUuid: string): DeedRun[] {
  const lineages = records.filter((record) => record.vmUuid === vmUuid).map(({ lineage }) => lineage);
  return runs.filter(({ lineage }) => lineages.includes(lineage));
}

export function pathsOf(run: DeedRun): string[] {
  return run.places?.disks.map(({ path }) => path) ?? [];
}

function aboutRun({ name }: HostRecords, { vm }: Suspect, { token, role, state }: DeedRun): string {
  return `${vm.name} at ${name}, token ${String(token)} (${role}, ${state})`;
}

/** Root may write what only its permissions guard, a guest may not. */
async function opensForWriting(path: string): Promise<boolean> {
  if (((await stat(path)).mode & 0o222) === 0) return false;
  try {
    await (await open(path, 'r+')).close();
    return true;
  } catch {
    return false;
  }
}
