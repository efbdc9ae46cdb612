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

/** The copies that a host gave back and that gc has not removed, each with the token by which it had come and its data disk. */
export function returnedCopies(host: HostRecords, { vm }: Suspect): { token: number; dataPath: string }[] {
  return runsOf(host, vm.uuid)
    .filter(({ role, state, collected }) => role === 'destination' && state === 'returned' && !collected)
    .flatMap(({ token, places }) => {
      const dataPath = places?.disks.at(-1)?.path;
      return dataPath === undefined ? [] : [{ token, dataPath }];
    });
}

/** No copy that was handed over can be written, also while something goes on: before a host takes one back it has written down so. Not for a VM that was claimed: who heeds writes down first. */
export async function judgeHandedOver(
  host: HostRecords,
  lookAgain: () => HostRecords,
  suspect: Suspect,
): Promise<string[]> {
  const complaints: string[] = [];
  for (const run of handedOver(host, suspect)) {
    for (const path of pathsOf(run)) {
      if (!(await opensForWriting(path))) continue;
      const still = handedOver(lookAgain(), suspect).some(
        ({ lineage, token, role }) => lineage === run.lineage && token === run.token && role === run.role,
      );
      if (still) complaints.push(`${aboutRun(host, suspect, run)}: ${path} was handed over and can be written`);
    }
  }
  return complaints;
}

function handedOver(host: HostRecords, { vm }: Suspect): DeedRun[] {
  return runsOf(host, vm.uuid).filter(
    ({ role, state, collected }) => !collected && state === (role === 'source' ? 'ceded' : 'returned'),
  );
}

/** Source disks and journals are there, also while something goes on, but what somebody asked to be removed. */
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
  try {
    if (((await stat(path)).mode & 0o222) === 0) return false;
    await (await open(path, 'r+')).close();
    return true;
  } catch {
    return false;
  }
}
