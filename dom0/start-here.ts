import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { SealiftError } from '../domain/error.ts';
import type { RunningProgram, StartOptions } from './access.ts';

const mostLines = 200;

/**
 * `Dom0Access.start` on this machine. Not by execa: it ends its children when this process ends in an orderly way, and what a program does that is left
 * alone is its own to decide.
 */
export function startHere(
  [program, ...args]: readonly [program: string, ...args: string[]],
  { env = {}, onLine = () => undefined }: StartOptions,
): RunningProgram {
  const child = spawn(program, args, {
    env: { ...process.env, ...env, LC_ALL: 'C' },
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  const ended: RunningProgram['ended'] = new Promise((resolve) => {
    child.on('error', () => {
      resolve({ exitCode: 127, lost: false });
    });
    child.on('close', (exitCode) => {
      resolve({ exitCode, lost: false });
    });
  });
  // A process that may open no more files has given it none of its pipes.
  if ((child.stderr as typeof child.stderr | undefined) === undefined)
    throw new SealiftError('xl-failed', `${program} cannot be started: no more files may be opened`);
  const said: string[] = [];
  const lines = createInterface({ input: child.stderr });
  lines.on('line', (line) => {
    said.push(line);
    if (said.length > mostLines) said.shift();
    onLine(line);
  });
  // Who writes to it, or reads from it, hears of it too.
  for (const one of [child.stdin, child.stdout, child.stderr, lines]) one.on('error', () => undefined);
  return {
    stdin: child.stdin,
    stdout: child.stdout,
    stderr: () => said.join('\n'),
    ended,
    leave: () => {
      for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
      child.unref();
    },
  };
}
