import { readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { execa } from 'execa';
import { anyPort } from '../infra/free-port.ts';
import { sshdMissing, startSshd } from '../infra/lab/sshd.ts';
import { writeSshConfig } from './ssh-config.ts';

/** Another program that brings an image over the loopback from one file to another, by two processes as we do. */
export interface Peer {
  name: string;
  /** Copies `source` to `destination`, a file of holes of the same size; the content is on the disk when it returns. */
  copy: (source: string, destination: string) => Promise<Copied>;
  stop: () => Promise<void>;
}

export interface Copied {
  ms: number;
  senderCpuMs: number;
  receiverCpuMs: number;
}

/** The peers that this machine has, and why others are not among them. */
export async function startPeers(): Promise<{ peers: Peer[]; missing: string[] }> {
  const missing: string[] = [];
  const peers: Peer[] = [];
  if (sshdMissing !== null) missing.push(`scp, rsync: ${sshdMissing}`);
  else {
    for (const [tool, peer] of [
      ['scp', scp],
      ['rsync', rsync],
    ] as const) {
      if (await isThere(tool)) peers.push(await peer());
      else missing.push(`${tool} is not installed`);
    }
  }
  if ((await isThere('qemu-img')) && (await isThere('qemu-nbd'))) peers.push(qemuImg());
  else missing.push('qemu-img or qemu-nbd is not installed (package qemu-utils)');
  return { peers, missing };
}

async function scp(): Promise<Peer> {
  const { config, pid, stop } = await sshServer();
  const copy = (source: string, destination: string): Promise<Copied> =>
    timed(pid, destination, () => execa('scp', ['-q', '-F', config, source, `bench:${destination}`]));
  return { name: 'scp', copy, stop };
}

async function rsync(): Promise<Peer> {
  const { config, pid, stop } = await sshServer();
  const how = ['--whole-file', '--inplace', `--rsh=ssh -F ${config}`];
  const copy = (source: string, destination: string): Promise<Copied> =>
    timed(pid, destination, () => execa('rsync', [...how, source, `bench:${destination}`]));
  return { name: 'rsync', copy, stop };
}

async function sshServer(): Promise<{ config: string; pid: number; stop: () => Promise<void> }> {
  const sshd = await startSshd();
  const config = await writeSshConfig(sshd, 'bench');
  return { config, pid: sshd.pid(), stop: () => sshd.stop() };
}

/** In clear: to a qemu-nbd that serves one client; both past the page cache. */
function qemuImg(): Peer {
  const copy = async (source: string, destination: string): Promise<Copied> => {
    const port = String(await anyPort());
    const raw = ['--format=raw', '--cache=none', '--aio=native', '--discard=ignore', '--detect-zeroes=off'];
    const served = ['--persistent', '--bind=127.0.0.1', `--port=${port}`, destination];
    const server = execa('qemu-nbd', [...raw, ...served], { reject: false });
    try {
      const target = `nbd://127.0.0.1:${port}`;
      await answering(target);
      const how = ['convert', '-n', '-f', 'raw', '-O', 'raw', '-T', 'none', '-m', '8', '-W'];
      return await timed(server.pid ?? 0, destination, () => execa('qemu-img', [...how, source, target]));
    } finally {
      server.kill();
      await server;
    }
  };
  return { name: 'qemu-img convert (nbd, in clear)', copy, stop: () => Promise.resolve() };
}

async function answering(target: string): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    const { exitCode } = await execa('qemu-img', ['info', target], { reject: false });
    if (exitCode === 0) return;
  }
  throw new Error('qemu-nbd does not answer');
}

/** Runs a client, syncs what its server wrote, and takes the processor time of both and of what they started and waited for. */
async function timed(serverPid: number, destination: string, client: () => Promise<unknown>): Promise<Copied> {
  const own = process.pid;
  const before = { client: childrenCpuMs(own), server: cpuMs(serverPid) };
  const from = performance.now();
  await client();
  const file = await open(destination, 'r+');
  await file.datasync();
  await file.close();
  const ms = performance.now() - from;
  return {
    ms,
    senderCpuMs: childrenCpuMs(own) - before.client,
    receiverCpuMs: cpuMs(serverPid) - before.server,
  };
}

/** Of the process itself and of its children that have ended. */
function cpuMs(pid: number): number {
  const [own = 0, system = 0] = stat(pid);
  return (own + system) * tickMs + childrenCpuMs(pid);
}

function childrenCpuMs(pid: number): number {
  const [, , children = 0, childrenSystem = 0] = stat(pid);
  return (children + childrenSystem) * tickMs;
}

/** USER_HZ, in which proc(5) counts, is 100 on Linux. */
const tickMs = 10;

/** utime, stime, cutime, cstime of proc(5); the name of the program may hold spaces. */
function stat(pid: number): number[] {
  const text = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
  const afterName = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return afterName.slice(11, 15).map(Number);
}

async function isThere(tool: string): Promise<boolean> {
  const { code } = await execa(tool, ['--version'], { reject: false });
  return code !== 'ENOENT';
}
