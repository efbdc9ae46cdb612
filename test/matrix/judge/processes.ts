import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { World } from '../../support/world.ts';

export interface OwnProcess {
  pid: number;
  commandLine: string;
  environment: string;
}

/** Every process that works in the world's folder, by its arguments or its environment; zombies are none. */
export function ownProcesses({ folder }: World): OwnProcess[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => pid !== process.pid)
    .map((pid) => ({ pid, commandLine: textOf(pid, 'cmdline'), environment: textOf(pid, 'environ') }))
    .filter(({ commandLine, environment }) => commandLine.includes(folder) || environment.includes(folder));
}

/** What a process has open, as /proc names it: paths, `socket:[inode]`. */
export function openFiles(pid: number): string[] {
  const folder = `/proc/${String(pid)}/fd`;
  return names(folder).flatMap((entry) => {
    try {
      return [readlinkSync(`${folder}/${entry}`)];
    } catch {
      return [];
    }
  });
}

export interface TcpSocket {
  localPort: number;
  state: 'listening' | 'other';
  inode: string;
}

/** All TCP sockets of this machine: proc_net_tcp(5). */
export function tcpSockets(): TcpSocket[] {
  return ['tcp', 'tcp6'].flatMap((table) =>
    readFileSync(`/proc/net/${table}`, 'utf8')
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .map((fields) => ({
        localPort: Number.parseInt(fields[1]?.split(':')[1] ?? '', 16),
        state: fields[3] === '0A' ? ('listening' as const) : ('other' as const),
        inode: fields[9] ?? '',
      })),
  );
}

function textOf(pid: number, file: 'cmdline' | 'environ'): string {
  try {
    return readFileSync(`/proc/${String(pid)}/${file}`, 'latin1');
  } catch {
    return '';
  }
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
