import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { processFacts } from './process.ts';

const everyMs = 10;
const limitMs = 20_000;
/** TCP_LISTEN, as proc(5) writes it. */
const listens = '0A';

/** Waits until somebody listens on a TCP port where the process `pid` is, whatever its network namespace. Throws when the process has ended, or does not come to it. */
export async function listening(pid: number, port: number): Promise<void> {
  const until = performance.now() + limitMs;
  while (!isListening(pid, port)) {
    if (processFacts(pid) === null || performance.now() > until)
      throw new Error(`nothing listens on port ${String(port)}: its program has ended, or hangs`);
    await sleep(everyMs);
  }
}

function isListening(pid: number, port: number): boolean {
  const end = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return ['tcp', 'tcp6'].some((kind) =>
    rows(`/proc/${String(pid)}/net/${kind}`).some(
      ([, local = '', , state]) => local.endsWith(end) && state === listens,
    ),
  );
}

function rows(path: string): string[][] {
  try {
    return readFileSync(path, 'utf8')
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/));
  } catch {
    return [];
  }
}
