import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openFiles, ownProcesses } from '../matrix/judge/processes.ts';
import type { Stage } from '../matrix/stage.ts';
import type { TestHost } from '../support/world.ts';

export interface ProcessFigures {
  /** Another one than before: it was started again. */
  pid: number;
  residentBytes: number;
  descriptors: number;
}

export interface FolderFigures {
  /** Files and folders, at any depth. */
  entries: number;
  /** What they take on the disk. */
  bytes: number;
}

/** What a world takes up while nothing goes on in it. */
export interface Figures {
  processes: Record<string, ProcessFigures>;
  /** All processes of the world, domains too. */
  processCount: number;
  /** By host and folder; `staging` is that of both hosts. */
  folders: Record<string, FolderFigures>;
  /** Sizes in bytes. */
  databases: Record<string, number>;
}

/** Looks at all of it from outside, by /proc and the file system. */
export function figuresOf(stage: Stage): Figures {
  const { world } = stage;
  // Of a second control plane, which a fault may have brought up.
  const further = new Set(stage.processes());
  const folders = world.up.hosts.flatMap(({ host }): [string, string][] => [
    [`${host.name} pool`, host.poolPath],
    [`${host.name} state`, join(host.filePath, '../state')],
    [`${host.name} configuration`, host.lab.etcFolder],
  ]);
  for (const folder of stage.otherFolders) folders.push(['staging', folder]);
  return {
    processes: Object.fromEntries(
      Object.entries(world.processes()).map(([name, pid]) => [
        name,
        { pid, residentBytes: residentBytes(pid), descriptors: openFiles(pid).length },
      ]),
    ),
    processCount: ownProcesses(world).filter(({ pid }) => !further.has(pid)).length,
    folders: Object.fromEntries(folders.map(([name, folder]) => [name, folderFigures(folder)])),
    databases: {
      ...Object.fromEntries(world.up.hosts.map((at) => [at.host.name, databaseBytes(at)])),
      Temporal: statSync(join(world.folder, 'temporal/temporal.db')).size,
    },
  };
}

function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${String(pid)}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

function folderFigures(folder: string): FolderFigures {
  const entries = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const sizes = entries.map((name) => (statSync(join(folder, name), { throwIfNoEntry: false })?.blocks ?? 0) * 512);
  return { entries: entries.length, bytes: sizes.reduce((sum, size) => sum + size, 0) };
}

/** With what the write-ahead log holds of it, and without what that once took. */
function databaseBytes({ host }: TestHost): number {
  const sql = new DatabaseSync(join(host.filePath, '../state/host.db'), { readOnly: true, timeout: 5_000 });
  try {
    const pragma = (name: string): number => Number(sql.prepare(`PRAGMA ${name}`).get()?.[name]);
    return pragma('page_count') * pragma('page_size');
  } finally {
    sql.close();
  }
}
