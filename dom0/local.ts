import { constants, readFileSync, readdirSync, statSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import * as fs from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { delimiter } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { errorCode } from './system-errors.ts';
import type { Dom0Access, FileStatus, Files, OpenFile } from './access.ts';

/** The files of the machine that this process runs on. */
export const here: Files = {
  async open(path, access, { direct = false, plain = false, mode = 0o600 } = {}) {
    const flags = (direct ? constants.O_DIRECT : 0) | (plain ? constants.O_NOFOLLOW | constants.O_NONBLOCK : 0);
    return new LocalFile(await fs.open(path, accessFlags[access] | flags, mode));
  },
  async stat(path) {
    return statusOf(await fs.stat(path, { bigint: true }));
  },
  async lstat(path) {
    return statusOf(await fs.lstat(path, { bigint: true }));
  },
  async statfs(path) {
    const { type, bavail, blocks, bsize } = await fs.statfs(path);
    return { type, freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  },
  readFile: (path) => fs.readFile(path),
  readdir: (path) => fs.readdir(path),
  readlink: (path) => fs.readlink(path),
  realpath: (path) => fs.realpath(path),
  async mkdir(path, options) {
    await fs.mkdir(path, options);
  },
  rename: (from, to) => fs.rename(from, to),
  link: (from, to) => fs.link(from, to),
  symlink: (target, path) => fs.symlink(target, path),
  chmod: (path, mode) => fs.chmod(path, mode),
  unlink: (path) => fs.unlink(path),
  rmdir: (path) => fs.rmdir(path),
  remove: (path, { recursive = false } = {}) => fs.rm(path, { force: true, recursive }),
};

/** This machine as a dom0. */
export const localDom0: Dom0Access = {
  ...here,
  remote: null,
  uid: process.geteuid?.() ?? -1,
  ownPids: () => Promise.resolve(new Set([process.pid])),
  programFolders: (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== ''),
  async run(argv, options) {
    // A thread that moves bytes runs no programs, and does without the package.
    const { runHere } = await import('./run-here.ts');
    return runHere(argv, options);
  },
  async start(argv, options) {
    const { startHere } = await import('./start-here.ts');
    return startHere(argv, options);
  },
  signal(pids, signal) {
    for (const pid of pids) orElse(false, () => process.kill(pid, signal));
    return Promise.resolve();
  },
  async statEach(pattern) {
    const found = new Map<string, FileStatus>();
    await eachMatch(pattern, (path) => {
      const status = orElse(null, () => statSync(path, { bigint: true, throwIfNoEntry: false }) ?? null);
      if (status !== null) found.set(path, statusOf(status));
    });
    return found;
  },
  async readEach(pattern) {
    const found = new Map<string, string>();
    await eachMatch(pattern, (path) => {
      const text = orElse('', () => readFileSync(path, 'utf8'));
      if (text !== '') found.set(path, text);
    });
    return found;
  },
  async filesWith(pattern, text) {
    const found: string[] = [];
    await eachMatch(pattern, (path) => {
      if (orElse('', () => readFileSync(path, 'latin1')).includes(text)) found.push(path);
    });
    return found;
  },
  // The kernel has ended them with their process.
  settle: () => Promise.resolve(),
  missing: () => Promise.resolve([]),
  leave() {
    // Nothing of it is kept open.
  },
};

const accessFlags = {
  read: constants.O_RDONLY,
  write: constants.O_RDWR,
  new: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
};

class LocalFile implements OpenFile {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  read(into: Buffer, offset: number, lengthBytes: number, atBytes: number): Promise<{ bytesRead: number }> {
    return this.#handle.read(into, offset, lengthBytes, atBytes);
  }

  write(from: Buffer, offset: number, lengthBytes: number, atBytes: number): Promise<{ bytesWritten: number }> {
    return this.#handle.write(from, offset, lengthBytes, atBytes);
  }

  writeFile(text: string): Promise<void> {
    return this.#handle.writeFile(text);
  }

  truncate(sizeBytes: number): Promise<void> {
    return this.#handle.truncate(sizeBytes);
  }

  sync(): Promise<void> {
    return this.#handle.sync();
  }

  datasync(): Promise<void> {
    return this.#handle.datasync();
  }

  async stat(): Promise<FileStatus> {
    return statusOf(await this.#handle.stat({ bigint: true }));
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

function statusOf(stats: BigIntStats): FileStatus {
  return {
    dev: stats.dev,
    ino: stats.ino,
    rdev: stats.rdev,
    sizeBytes: Number(stats.size),
    mode: Number(stats.mode) & 0o7777,
    uid: Number(stats.uid),
    nlink: Number(stats.nlink),
    takenBytes: Number(stats.blocks) * 512,
    mtimeNs: stats.mtimeNs,
    kind: stats.isFile()
      ? 'file'
      : stats.isDirectory()
        ? 'folder'
        : stats.isSymbolicLink()
          ? 'link'
          : stats.isBlockDevice()
            ? 'block'
            : 'other',
  };
}

/** So many paths are looked at before others get their turn: some milliseconds. */
const perTurn = 512;

/**
 * Looks at all paths of a pattern. Reading /proc is reading memory: one system call after another in this thread takes a tenth of
 * the time that the same calls take one by one through the pool of threads.
 */
async function eachMatch(pattern: string, look: (path: string) => void): Promise<void> {
  let looked = 0;
  for (const path of matches(pattern)) {
    look(path);
    looked += 1;
    if (looked % perTurn === 0) await turn();
  }
}

function* matches(pattern: string): Generator<string> {
  const parts = pattern.split('/').slice(1);
  yield* below('', parts);
}

function* below(folder: string, [part, ...rest]: string[]): Generator<string> {
  if (part === undefined) {
    yield folder;
    return;
  }
  if (!/[*[]/.test(part)) {
    yield* below(`${folder}/${part}`, rest);
    return;
  }
  // A shell's `*` does not take hidden names.
  const name = new RegExp(`^(?!\\.)${part.replaceAll('.', '\\.').replaceAll('*', '.*')}$`);
  for (const entry of orElse([], () => readdirSync(folder === '' ? '/' : folder))) {
    if (name.test(entry)) yield* below(`${folder}/${entry}`, rest);
  }
}

/** What has ended or vanished meanwhile, or may not be looked at, is none; where this process itself can look no further, it says so. */
function orElse<Result>(none: Result, look: () => Result): Result {
  try {
    return look();
  } catch (error) {
    if (['EMFILE', 'ENFILE', 'ENOMEM'].includes(errorCode(error))) throw error;
    return none;
  }
}
