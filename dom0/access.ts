import type { Readable, Writable } from 'node:stream';
import type { SshServer } from './ssh.ts';

/** A dom0 that is entered by SSH. */
export interface RemoteDom0 extends SshServer {
  /** By which is known there what this host has begun. */
  owner: string;
}

/** What a file is. */
export interface FileStatus {
  readonly dev: bigint;
  readonly ino: bigint;
  /** The device that a device node stands for. */
  readonly rdev: bigint;
  readonly sizeBytes: number;
  /** The permission bits alone. */
  readonly mode: number;
  readonly uid: number;
  readonly nlink: number;
  /** What it takes of its file system. */
  readonly takenBytes: number;
  readonly mtimeNs: bigint;
  readonly kind: 'file' | 'folder' | 'link' | 'block' | 'other';
}

/** An open file, folder or device. A read or a write may be short. Nothing is durable before `sync` or `datasync`. */
export interface OpenFile {
  read(into: Buffer, offset: number, lengthBytes: number, atBytes: number): Promise<{ bytesRead: number }>;
  write(from: Buffer, offset: number, lengthBytes: number, atBytes: number): Promise<{ bytesWritten: number }>;
  writeFile(text: string): Promise<void>;
  truncate(sizeBytes: number): Promise<void>;
  sync(): Promise<void>;
  datasync(): Promise<void>;
  stat(): Promise<FileStatus>;
  close(): Promise<void>;
}

export interface OpenOptions {
  /** O_DIRECT: by the page cache's side. */
  direct?: boolean;
  /** Refuses a link, and does not wait for the other end of a pipe. */
  plain?: boolean;
  /** Permission bits of a file that is made. */
  mode?: number;
}

/**
 * Files of one machine, with the calls of `node:fs/promises` as far as they are needed and with its errors: `code` says why. A
 * connection that is lost throws `dom0-away` instead.
 */
export interface Files {
  /** `new`: makes a file, and fails with EEXIST where one is. */
  open(path: string, access: 'read' | 'write' | 'new', options?: OpenOptions): Promise<OpenFile>;
  /** Links followed. */
  stat(path: string): Promise<FileStatus>;
  lstat(path: string): Promise<FileStatus>;
  statfs(path: string): Promise<{ type: number; freeBytes: number; totalBytes: number }>;
  readFile(path: string): Promise<Buffer>;
  readdir(path: string): Promise<string[]>;
  readlink(path: string): Promise<string>;
  realpath(path: string): Promise<string>;
  mkdir(path: string, options: { mode: number; recursive?: boolean }): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  link(from: string, to: string): Promise<void>;
  symlink(target: string, path: string): Promise<void>;
  chmod(path: string, mode: number): Promise<void>;
  unlink(path: string): Promise<void>;
  rmdir(path: string): Promise<void>;
  /** It need not be there. */
  remove(path: string, options?: { recursive?: boolean }): Promise<void>;
}

export interface RunOptions {
  /** Added to the environment that programs have there; LC_ALL is C. */
  env?: Readonly<Record<string, string>>;
  /** After so long it is killed, with what it started in its process group. */
  limitMs: number;
  /** It gets SIGTERM first, and SIGKILL five seconds later: for what must not be torn out of what it does. */
  gently?: boolean;
}

export interface RunOutcome {
  /** `limit`: killed for taking too long. `missing`: there is no such program. */
  ended: 'by-itself' | 'limit' | 'missing';
  /** Null when a signal ended it. */
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

export interface StartOptions {
  env?: Readonly<Record<string, string>>;
  /** Called for each line on its standard error. */
  onLine?: (line: string) => void;
}

/** A program that bytes are exchanged with while it runs. Nothing limits its time. */
export interface RunningProgram {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** The last lines of its standard error. */
  stderr(): string;
  /** When it has ended and all that it wrote was read; null: by a signal. 127: it could not be started. `lost`: the line to it was, and nobody knows. */
  readonly ended: Promise<{ exitCode: number | null; lost: boolean }>;
  /** Closes this end of its pipes, and keeps this process alive no longer for it; the program is not ended. */
  leave(): void;
}

/**
 * The dom0 of this process's host: its files, its programs and what its kernel tells. In patterns `*` stands for anything within a
 * name, and `[0-9]` for a digit; what ends or vanishes while it is looked at is left out.
 */
export interface Dom0Access extends Files {
  /** How other threads of this process enter the same dom0; null when it is this machine. */
  readonly remote: RemoteDom0 | null;
  /** Whom files there are made by. */
  readonly uid: number;
  /** This process among the processes there, and what it has begun there that ends with it. */
  ownPids(): Promise<ReadonlySet<number>>;
  /** Where programs are looked for there. */
  readonly programFolders: readonly string[];
  /** Runs a program by its arguments, whatever its exit code. */
  run(argv: readonly [program: string, ...args: string[]], options: RunOptions): Promise<RunOutcome>;
  /** Starts one that is to be talked to, in a process group of its own. */
  start(argv: readonly [program: string, ...args: string[]], options: StartOptions): Promise<RunningProgram>;
  /** Sends processes a signal; those that are gone are left out. */
  signal(pids: Iterable<number>, signal: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): Promise<void>;
  /** What is at the paths that match, links followed. */
  statEach(pattern: string): Promise<Map<string, FileStatus>>;
  /** The text of the files that match and are not empty. */
  readEach(pattern: string): Promise<Map<string, string>>;
  /** The paths of those that hold `text`. */
  filesWith(pattern: string, text: string): Promise<string[]>;
  /** Ends what an earlier process of this host has left behind there that could still change files; returns when there is nothing. To be called before anything else. */
  settle(): Promise<void>;
  /** The programs that every host needs and that are not found there. */
  missing(): Promise<string[]>;
  /** Ends what is open there. */
  leave(): void;
}
