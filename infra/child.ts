import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { SealiftError } from '../domain/error.ts';

export interface Child {
  readonly pid: number;
  /** What the child said of itself when it was ready. */
  readonly ready: Record<string, unknown>;
  /** Resolves when the process has ended, however it did. */
  readonly ended: Promise<void>;
  /** SIGTERM, and SIGKILL when it has not ended after 20 s. */
  stop(): Promise<void>;
  kill(signal: NodeJS.Signals): void;
}

export interface ChildOptions {
  env: Record<string, string>;
  logPath: string;
  readyLimitMs?: number;
  nodeFlags?: readonly string[];
  /** The words by which a program runs somewhere else than here, in one process. */
  within?: (program: string, ...args: string[]) => [program: string, args: string[]];
}

/**
 * Starts one of our own processes with this Node, and waits for its readiness: one line of JSON on standard output. The rest
 * of its output goes to `logPath`. It stops by itself when this process dies: its standard input ends (see workers/stop.ts).
 * Throws `internal` with the log's last lines when it ends before it is ready.
 */
export async function startChild(script: string, args: string[], options: ChildOptions): Promise<Child> {
  const log = openSync(options.logPath, 'a', 0o600);
  const words = [process.execPath, ...(options.nodeFlags ?? []), script, ...args] as const;
  const [program, rest] = options.within === undefined ? [words[0], words.slice(1)] : options.within(...words);
  const child = spawn(program, rest, {
    env: { ...process.env, ...options.env },
    stdio: ['pipe', 'pipe', log],
  });
  closeSync(log);
  const ended = once(child, 'exit').then(() => undefined);
  const ready = await firstLine(child, ended, options);
  return {
    pid: child.pid ?? 0,
    ready,
    ended,
    kill: (signal) => void child.kill(signal),
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      const forced = setTimeout(() => void child.kill('SIGKILL'), 20_000);
      await ended;
      clearTimeout(forced);
    },
  };
}

async function firstLine(
  child: ChildProcess,
  ended: Promise<void>,
  options: { logPath: string; readyLimitMs?: number },
): Promise<Record<string, unknown>> {
  if (child.stdout === null) throw new SealiftError('internal', 'a child has no standard output');
  const lines = createInterface({ input: child.stdout });
  const line = new Promise<string>((resolve) => {
    lines.once('line', resolve);
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => {
      resolve(null);
    }, options.readyLimitMs ?? 60_000);
  });
  const first = await Promise.race([line, late, ended.then(() => null)]);
  clearTimeout(timer);
  if (first === null) {
    child.kill('SIGKILL');
    const tail = readFileSync(options.logPath, 'utf8').trimEnd().split('\n').slice(-5).join(' | ');
    throw new SealiftError('internal', `a process did not become ready: ${tail}`);
  }
  return JSON.parse(first) as Record<string, unknown>;
}
