import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import type { RunOptions, RunOutcome } from './access.ts';

const gentleMs = 5_000;
const mostBytes = 64 * 1024 * 1024;

/** `Dom0Access.run` on this machine: in a process group of its own, which is killed when the limit has passed. */
export async function runHere(
  [program, ...args]: readonly [program: string, ...args: string[]],
  { env = {}, limitMs, gently = false }: RunOptions,
): Promise<RunOutcome> {
  const child = execa(program, args, {
    env: { ...env, LC_ALL: 'C' },
    stdin: 'ignore',
    reject: false,
    detached: true,
    cleanup: false,
    maxBuffer: mostBytes,
  });
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<'limit'>((resolve) => {
    timer = setTimeout(resolve, limitMs, 'limit');
  });
  try {
    const result = await Promise.race([child, limit]);
    if (result === 'limit') {
      if (gently) {
        killGroup(child.pid, 'SIGTERM');
        await Promise.race([child, sleep(gentleMs, undefined, { ref: false })]);
      }
      killGroup(child.pid, 'SIGKILL');
      // A grandchild in a session of its own may still hold the pipes: nobody waits for it.
      child.stdout.destroy();
      child.stderr.destroy();
      return { ended: 'limit', exitCode: null, stdout: '', stderr: '' };
    }
    const { exitCode = null, signal, code = 'unknown', stdout, stderr } = result;
    if (exitCode === null && signal === undefined) {
      return { ended: 'missing', exitCode, stdout: '', stderr: code };
    }
    return { ended: 'by-itself', exitCode, stdout, stderr };
  } finally {
    clearTimeout(timer);
  }
}

function killGroup(pid: number | undefined, signal: 'SIGTERM' | 'SIGKILL'): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // It ended by itself in this moment.
  }
}
