import { dirname } from 'node:path';
import { SealiftError } from '../domain/error.ts';
import type {
  Dom0Access,
  FileStatus,
  OpenFile,
  OpenOptions,
  RemoteDom0,
  RunningProgram,
  RunOptions,
  RunOutcome,
  StartOptions,
} from './access.ts';
import { programFolders } from './ssh-command.ts';
import { SshFile } from './ssh-file.ts';
import { leftovers } from './ssh-leftovers.ts';
import { SshLine } from './ssh-line.ts';
import { alwaysThere, lookFailed, lookScripts, notItself } from './ssh-look.ts';
import { parseStatus, statusFormat } from './status.ts';
import { codedError, systemError } from './system-errors.ts';

/** A dom0 that is entered by SSH: each call is a program or a few that are run there, and nothing is installed. docs/ssh.md tells how. */
export function sshDom0(remote: RemoteDom0): Dom0Access {
  return new SshDom0(remote);
}

/** For a chunk: long enough for a disk that is slow below everything else. */
const writeLimitMs = 60_000;
const versionLimitMs = 10_000;

/** What files are worked on by (coreutils, findutils, grep), and fences made of (e2fsprogs, util-linux). */
const neededPrograms = [
  ...['timeout', 'env', 'dd', 'stat', 'cat', 'readlink', 'realpath', 'mkdir', 'mv', 'ln', 'chmod', 'rm', 'rmdir'],
  ...['truncate', 'sync', 'find', 'xargs', 'grep', 'chattr', 'lsattr', 'losetup'],
];

class SshDom0 implements Dom0Access {
  readonly remote: RemoteDom0;
  readonly uid = 0;
  readonly programFolders = programFolders;
  readonly #line: SshLine;

  constructor(remote: RemoteDom0) {
    this.remote = remote;
    this.#line = new SshLine(remote);
  }

  async open(path: string, access: 'read' | 'write' | 'new', options: OpenOptions = {}): Promise<OpenFile> {
    const file = new SshFile(
      path,
      options,
      (argv, input) => this.#do(argv, path, input),
      () => this.stat(path),
    );
    await file.open(access);
    return file;
  }

  async stat(path: string): Promise<FileStatus> {
    return parseStatus(await this.#text(['stat', '-L', '-c', statusFormat, '--', path], path)).status;
  }

  async lstat(path: string): Promise<FileStatus> {
    return parseStatus(await this.#text(['stat', '-c', statusFormat, '--', path], path)).status;
  }

  async statfs(path: string): Promise<{ type: number; freeBytes: number; totalBytes: number }> {
    const text = await this.#text(['stat', '-f', '-c', '%t %a %b %S', '--', path], path);
    const [type = '', free, total, blockBytes] = text.trim().split(' ');
    return {
      type: parseInt(type, 16),
      freeBytes: Number(free) * Number(blockBytes),
      totalBytes: Number(total) * Number(blockBytes),
    };
  }

  readFile(path: string): Promise<Buffer> {
    return this.#do(['cat', '--', path], path);
  }

  async readdir(path: string): Promise<string[]> {
    const text = await this.#text(
      ['find', '-H', `${path}/`, '-mindepth', '1', '-maxdepth', '1', '-printf', '%f\\0'],
      path,
    );
    return text.split('\0').slice(0, -1);
  }

  readlink(path: string): Promise<string> {
    return this.#text(['readlink', '-v', '-n', '--', path], path);
  }

  realpath(path: string): Promise<string> {
    return this.#text(['realpath', '-e', '-z', '--', path], path).then((text) => text.replace(/\0$/, ''));
  }

  async mkdir(path: string, { mode, recursive = false }: { mode: number; recursive?: boolean }): Promise<void> {
    await this.#do(['mkdir', '-m', mode.toString(8), ...(recursive ? ['-p'] : []), '--', path], path);
  }

  async rename(from: string, to: string): Promise<void> {
    const [file, folder] = await Promise.all([this.lstat(from), this.stat(dirname(to))]);
    // mv would copy it.
    if (file.dev !== folder.dev) throw codedError('EXDEV', 'cross-device link not permitted', from);
    await this.#do(['mv', '-f', '-T', '--', from, to], from);
  }

  async link(from: string, to: string): Promise<void> {
    await this.#do(['ln', '-P', '-T', '--', from, to], to);
  }

  async symlink(target: string, path: string): Promise<void> {
    await this.#do(['ln', '-s', '-T', '--', target, path], path);
  }

  async chmod(path: string, mode: number): Promise<void> {
    await this.#do(['chmod', mode.toString(8), '--', path], path);
  }

  async unlink(path: string): Promise<void> {
    await this.#do(['rm', '--', path], path);
  }

  async rmdir(path: string): Promise<void> {
    await this.#do(['rmdir', '--', path], path);
  }

  async remove(path: string, { recursive = false }: { recursive?: boolean } = {}): Promise<void> {
    await this.#do(['rm', recursive ? '-rf' : '-f', '--', path], path);
  }

  async run(argv: readonly [string, ...string[]], options: RunOptions): Promise<RunOutcome> {
    const { exitCode, timedOut, stdout, stderr } = await this.#line.run(argv, options);
    if (timedOut) return { ended: 'limit', exitCode: null, stdout: '', stderr: '' };
    if (exitCode === 127) return { ended: 'missing', exitCode: null, stdout: '', stderr: 'ENOENT' };
    return { ended: 'by-itself', exitCode, stdout: trimmed(stdout.toString('utf8')), stderr: trimmed(stderr) };
  }

  start(argv: readonly [string, ...string[]], options: StartOptions): Promise<RunningProgram> {
    return this.#line.start(argv, options);
  }

  async signal(pids: Iterable<number>, signal: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): Promise<void> {
    const words = [...pids].map(String);
    if (words.length === 0) return;
    const script = 'for pid in "$@"; do kill -s "$0" "$pid" 2>/dev/null; done; true';
    await this.run(['sh', '-c', script, signal.slice(3), ...words], { limitMs: versionLimitMs });
  }

  async ownPids(): Promise<ReadonlySet<number>> {
    const paths = await this.filesWith('/proc/[0-9]*/environ', leftovers.textOf(this.remote.owner));
    return new Set(paths.map((path) => Number(path.split('/')[2])));
  }

  async statEach(pattern: string): Promise<Map<string, FileStatus>> {
    const text = await this.#text(['sh', '-c', lookScripts.stat(pattern), 'sh', `${statusFormat} %n`], pattern);
    const lines = text.split('\n').filter((line) => line !== '');
    const found = new Map(lines.map((line) => parseStatus(line)).map(({ status, path }) => [path, status]));
    if (!found.delete('/')) throw lookFailed('stat');
    return found;
  }

  async readEach(pattern: string): Promise<Map<string, string>> {
    const text = await this.#text(['sh', '-c', lookScripts.read(pattern)], pattern);
    const found = new Map<string, string>();
    for (const line of text.split('\n').slice(0, -1)) {
      const at = line.indexOf('\0');
      const path = line.slice(0, at);
      found.set(path, `${found.get(path) ?? ''}${line.slice(at + 1)}\n`);
    }
    if (!found.delete(alwaysThere.path)) throw lookFailed('grep');
    return found;
  }

  async filesWith(pattern: string, text: string): Promise<string[]> {
    const words = ['sh', '-c', lookScripts.find(pattern), 'sh', notItself(text), notItself(alwaysThere.text)];
    const found = (await this.#text(words, pattern)).split('\n').filter((path) => path !== '');
    if (!found.includes(alwaysThere.path)) throw lookFailed('grep');
    return found.filter((path) => path !== alwaysThere.path);
  }

  async missing(): Promise<string[]> {
    const script = `for program in "$@"; do command -v "$program" >/dev/null || echo "$program"; done`;
    const found = (await this.#text(['sh', '-c', script, 'sh', ...neededPrograms], 'PATH')).split('\n');
    const missing = found.filter((program) => program !== '');
    if (missing.includes('dd')) return missing;
    const { stdout } = await this.run(['dd', '--version'], { limitMs: versionLimitMs });
    return stdout.includes('coreutils') ? missing : [...missing, 'GNU coreutils'];
  }

  settle(): Promise<void> {
    return this.#line.settle();
  }

  leave(): void {
    this.#line.leave();
  }

  async #text(argv: readonly string[], path: string): Promise<string> {
    return (await this.#do(argv, path)).toString('utf8');
  }

  /** Runs a program that has to succeed; `path` is what its error is about. */
  async #do(argv: readonly string[], path: string, input?: Buffer): Promise<Buffer> {
    const { exitCode, stdout, stderr } =
      input === undefined ? await this.#line.ask(argv) : await this.#line.write(argv, input, writeLimitMs);
    if (exitCode === 0) return stdout;
    // Not found, not to be run, killed: nothing was said of what it is about.
    if (exitCode === null || exitCode > 124) {
      throw new SealiftError('dom0-away', `${argv[0] ?? ''} in dom0 ended by ${String(exitCode ?? 'a signal')}`);
    }
    throw systemError(stderr, path);
  }
}

/** As execa gives output: without the last newline. */
function trimmed(text: string): string {
  return text.replace(/\n$/, '');
}
