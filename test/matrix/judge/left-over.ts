import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { markPath } from '../../../storage/mark.ts';
import type { TestHost, World } from '../../support/world.ts';
import { configuredDisks } from './copies.ts';
import type { HostRecords } from './host-records.ts';
import { openFiles, ownProcesses, tcpSockets } from './processes.ts';
import type { Suspect } from './suspect.ts';

/** Nothing is left of what was done: no process, port, connection, open disk, file or key that no record speaks of. */
export async function judgeLeftOver(
  world: World,
  suspect: Suspect,
  hosts: { at: TestHost; records: HostRecords }[],
  further: number[],
): Promise<string[]> {
  const complaints = [...strangers(world, further), ...sockets(world)];
  for (const { at, records } of hosts) {
    const { poolPath, filePath } = at.host;
    for (const path of openFiles(at.worker.pid))
      if (path.startsWith(poolPath)) complaints.push(`the worker of ${records.name} has ${path} open`);
    const known = new Set(explained(records));
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

/** The disks that the records of a host speak of: fenced, landed, or on their way. */
function explained({ runs }: HostRecords): string[] {
  return runs
    .filter(({ collected }) => !collected)
    .flatMap(({ places }) => places?.disks.map(({ path }) => path) ?? []);
}

function strangers(world: World, further: number[]): string[] {
  const known = new Set([
    ...Object.values(world.processes()),
    ...further,
    ...world.observer.boots.flatMap(({ uuid }) => world.observer.living(uuid)).map(({ pid }) => pid),
  ]);
  return ownProcesses(world)
    .filter(({ pid }) => !known.has(pid))
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

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true);
}
