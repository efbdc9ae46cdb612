import { execa } from 'execa';
import { findProgram } from './find-program.ts';
import { hasDirect, hasImmutable } from './try-folder.ts';

/** One thing that Sealift can use on a machine. */
export interface Finding {
  name: string;
  has: boolean;
  /** Without it nothing works; without the others something is slower, weaker or skipped. */
  needed: boolean;
  /** What was found, in one line. */
  found: string;
  /** What goes without it. */
  cost: string;
}

export interface Machine {
  /** The folder whose file system is tried. */
  folder: string;
  env: NodeJS.ProcessEnv;
  home: string;
}

/** Looks at this machine; leaves nothing behind. */
export async function examine(machine: Machine): Promise<Finding[]> {
  const path = machine.env.PATH ?? '';
  const looked = await Promise.all([
    temporal(path),
    python(path),
    program('xl', path, 'xl', 'no Xen here: only the stand-in host (sealift up) works'),
    program('sshd', path, 'SSH server', 'this machine cannot be the destination of --method staged'),
    program('charon-systemd', path, 'strongSwan', 'this machine takes no part in --method tunnel'),
    program('mke2fs', path, 'mke2fs', 'the demonstration has no file system to move; tests of it are skipped'),
    program(
      'setpriv',
      path,
      'setpriv',
      'as root, stand-in domains keep the right to override file permissions: fence kind immutable only',
    ),
    immutable(machine.folder),
    direct(machine.folder),
    loop(path),
  ]);
  return [node(), ...looked];
}

function node(): Finding {
  const has = Number.parseInt(process.versions.node, 10) >= 24;
  return { name: 'Node 24', has, needed: true, found: process.versions.node, cost: 'nothing works' };
}

async function temporal(path: string): Promise<Finding> {
  const file = await findProgram('temporal', path);
  const version = file === null ? null : await firstLine(file, ['--version']);
  return {
    name: 'temporal',
    has: version !== null,
    needed: false,
    found: version === null ? 'not on PATH' : `${version} (${file ?? ''})`,
    cost: 'sealift up fetches a server at its first start; a server elsewhere needs none',
  };
}

async function python(path: string): Promise<Finding> {
  const file = await findProgram('python3', path);
  const pip = file === null ? null : await firstLine(file, ['-m', 'pip', '--version']);
  return {
    name: 'python3 with pip',
    has: pip !== null,
    needed: false,
    found: pip ?? (file === null ? 'not on PATH' : 'python3 without pip'),
    cost: 'one way less to fetch a Temporal server, for networks without temporal.download',
  };
}

async function program(command: string, path: string, name: string, cost: string): Promise<Finding> {
  const file = await findProgram(command, path);
  return { name, has: file !== null, needed: false, found: file ?? 'not found', cost };
}

async function immutable(folder: string): Promise<Finding> {
  const problem = await hasImmutable(folder);
  return {
    name: 'chattr +i',
    has: problem === null,
    needed: false,
    found: problem ?? `works in ${folder}`,
    cost: 'raw files are fenced by permission bits, which only stand-in domains respect: no real host without it',
  };
}

async function direct(folder: string): Promise<Finding> {
  const problem = await hasDirect(folder);
  return {
    name: 'O_DIRECT',
    has: problem === null,
    needed: false,
    found: problem ?? `works in ${folder}`,
    cost: 'read-back may come from the page cache; the receipt says so',
  };
}

async function loop(path: string): Promise<Finding> {
  const losetup = await findProgram('losetup', path);
  const free = losetup === null || process.getuid?.() !== 0 ? null : await firstLine(losetup, ['-f']);
  const why = losetup === null ? 'losetup not found' : process.getuid?.() === 0 ? 'no loop device is free' : 'not root';
  return {
    name: 'loop devices',
    has: free !== null,
    needed: false,
    found: free === null ? why : `${free} is free`,
    cost: 'VMs on loop devices cannot be moved from here, and tests of them are skipped',
  };
}

/** The first line that a program prints; null when it fails or does not end. */
async function firstLine(file: string, args: string[]): Promise<string | null> {
  const result = await execa(file, args, { reject: false, stdin: 'ignore', timeout: 10_000 });
  return result.exitCode === 0 ? (result.stdout.split('\n')[0]?.trim() ?? '') : null;
}
