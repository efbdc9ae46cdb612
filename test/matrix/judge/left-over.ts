import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { until } from '../../../infra/lab/patience.ts';
import { processFacts } from '../../../infra/lab/process.ts';
import { markPath } from '../../../storage/mark.ts';
import type { TestHost, World } from '../../support/world.ts';
import { configuredDisks, pathsOf } from './copies.ts';
import type { HostRecords } from './host-records.ts';
import { openFiles, ownProcesses, tcpSockets } from './processes.ts';
import type { OwnProcess } from './processes.ts';
import type { Suspect } from './suspect.ts';

/** Files of a world that nobody has to speak of; what lies in pools and aside is looked at by itself. */
const always = [
  /^((director|observer)\.sock|(programs|taken)\.log)$/,
  /^logs\/[^/]+\.log$/,
  /^(temporal|second)\/temporal\.(db(-shm|-wal|-journal)?|log|pid)$/,
  /^hosts\/[^/]+\/(host\.toml|pool\/.*)$/,
  /^hosts\/[^/]+\/dom0\/(lab-host\.json|struck\.jsonl|(run|sys|var)\/.*|etc\/xen\/(sealift\.owner|(auto\/|sealift\/.*\/)?[^/]+))$/,
  /^hosts\/[^/]+\/state\/(host\.db(-shm|-wal)?|identity\.key|lock(-journal)?|run-keys\/[^/]+)$/,
];

/** Nothing is left of what was done: no process, port, connection, open disk, file or key that no record speaks of. */
export async function judgeLeftOver(
  world: World,
  suspect: Suspect,
  hosts: { at: TestHost; records: HostRecords }[],
  further: { processes: number[]; folders: string[] },
): Promise<string[]> {
  const complaints = [...(await strangers(world, further.processes)), ...sockets(world)];
  complaints.push(
    ...filesUnder(world.folder)
      .map((path) => relative(world.folder, path))
      .filter((name) => !name.startsWith('cache') && !always.some((where) => where.test(name)))
      .map((name) => `${name} is left`),
  );
  const kept = hosts.flatMap(({ records }) => records.runs).filter(({ collected }) => !collected);
  for (const path of further.folders.flatMap(filesUnder)) {
    if (!kept.some(({ migrationId }) => path.includes(migrationId))) complaints.push(`no run kept speaks of ${path}`);
  }
  for (const { at, records } of hosts) {
    const { poolPath, filePath } = at.host;
    for (const path of openFiles(at.worker.pid))
      if (path.startsWith(poolPath)) complaints.push(`the worker of ${records.name} has ${path} open`);
    for (const name of namesIn(join(at.host.lab.etcFolder, 'sealift'))) {
      const isKept = records.runs.some(
        ({ lineage, token, collected }) => !collected && name === `${lineage}.${String(token)}`,
      );
      if (!isKept) complaints.push(`what ${records.name} has put aside, ${name}, belongs to no run that it keeps`);
    }
    // fenced, landed, or on their way
    const known = new Set(records.runs.filter(({ collected }) => !collected).flatMap(pathsOf));
    for (const path of (await configuredDisks(at, suspect)) ?? []) known.add(path);
    for (const path of filesUnder(poolPath)) {
      if (!known.has(path) && ![...known].some((disk) => markPath(disk) === path))
        complaints.push(`nothing on ${records.name} speaks of ${path}`);
    }
    const keys = readdirSync(join(filePath, '../state/run-keys'));
    const open = records.runs.filter(
      ({ role, state, collected }) => role === 'destination' && state === 'open' && !collected,
    );
    if (keys.length > open.length)
      complaints.push(`${records.name} keeps ${String(keys.length)} keys for ${String(open.length)} open runs`);
  }
  return complaints;
}

/** An `xl` that a worker asks has its answer soon. */
const answerLimitMs = 3_000;

async function strangers(world: World, further: number[]): Promise<string[]> {
  const known = new Set([
    ...Object.values(world.processes()),
    ...further,
    ...world.observer.boots.flatMap(({ uuid }) => world.observer.living(uuid)).map(({ pid }) => pid),
  ]);
  const found = ownProcesses(world).filter(({ pid }) => !known.has(pid));
  const isThere = ({ pid }: OwnProcess): boolean => processFacts(pid) !== null;
  await until(answerLimitMs, () => !found.some(isThere));
  return found
    .filter(isThere)
    .map(({ pid, commandLine }) => `process ${String(pid)} is left: ${commandLine.replaceAll('\0', ' ').trim()}`);
}

/** A host worker listens on its landing's port only, and no sender is connected to it. */
function sockets(world: World): string[] {
  const all = tcpSockets();
  return world.up.hosts.flatMap(({ host, worker }) => {
    const own = new Set(openFiles(worker.pid).map((file) => /^socket:\[(\d+)\]$/.exec(file)?.[1]));
    const { landingPort } = worker.ready;
    return all
      .filter(({ inode }) => own.has(inode))
      .flatMap(({ localPort, state }) => {
        if (state === 'listening' && localPort !== landingPort)
          return [`the worker of ${host.name} listens on port ${String(localPort)}`];
        if (state === 'other' && localPort === landingPort) return [`a sender is still connected to ${host.name}`];
        return [];
      });
  });
}

function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true);
}
