import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { once } from 'node:events';
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
  const said: string[] = [];
  const lines = createInterface({ input: child.stderr });
  lines.on('line', (line) => {
    said.push(line);
    if (said.length > mostLines) said.shift();
    onLine(line);
  });
  // Who writes to it, or reads from it, hears of it too.
  for (const one of [child.stdin, child.stdout, child.stderr, lines]) one.on('error', () => undefined);
  const ended = Promise.race([
    once(child, 'close').then(([exitCode]) => ({ exitCode: exitCode as number | null })),
    once(child, 'error').then(() => ({ exitCode: 127 })),
  ]);
  ended.catch(() => undefined);
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
