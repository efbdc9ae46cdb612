import { execa } from 'execa';
import type { RunOptions, RunOutcome } from './access.ts';

const mostBytes = 64 * 1024 * 1024;

/** `Dom0Access.run` on this machine: in a process group of its own, which is killed when the limit has passed. */
export async function runHere(
  [program, ...args]: readonly [program: string, ...args: string[]],
  { env = {}, limitMs }: RunOptions,
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
      killGroup(child.pid);
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

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It ended by itself in this moment.
  }
}
