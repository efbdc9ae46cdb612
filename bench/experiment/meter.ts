import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { processFacts } from '../../infra/lab/process.ts';

const everyMs = 100;
const prefix = 'sealift-experiment-';
/** Where systems have the second version of control groups, alone or beside the first. */
const mount = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified'].find(
  (path) => existsSync(join(path, 'cgroup.procs')) && existsSync(join(path, 'cgroup.controllers')),
);

/** Why nothing can be metered here; null when it can. */
export function meterMissing(): string | null {
  if (mount === undefined) return 'control groups of version 2 (cgroup2 mounted in /sys/fs/cgroup)';
  try {
    const trial = join(mount, `${prefix}${String(process.pid)}-trial`);
    mkdirSync(trial);
    rmdirSync(trial);
    return null;
  } catch {
    return `the right to make a control group in ${mount}`;
  }
}

/**
 * What the processes of one side cost, those that have ended included: a control group, which what they start is in as well.
 * Memory is what they hold resident together, looked at ten times a second.
 */
export class Meter {
  readonly #folder: string;
  #peakKib = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(name: string) {
    this.#folder = join(mount ?? '', `${prefix}${String(process.pid)}`, name);
    mkdirSync(this.#folder, { recursive: true });
    this.#timer = setInterval(() => {
      this.#look();
    }, everyMs);
    this.#timer.unref();
  }

  /** Takes a process in: at once after its start, before it can start others. */
  enter(pid: number): void {
    try {
      writeFileSync(join(this.#folder, 'cgroup.procs'), String(pid));
    } catch (error) {
      // It may have ended already.
      if (processFacts(pid) !== null) throw error;
    }
  }

  /** Of the processor, by all of them since the beginning. */
  seconds(): number {
    const text = readFileSync(join(this.#folder, 'cpu.stat'), 'utf8');
    return Number(/^usage_usec (\d+)$/m.exec(text)?.[1]) / 1e6;
  }

  /** The most memory since the peak was forgotten. */
  peakMib(): number {
    this.#look();
    return this.#peakKib / 1024;
  }

  forgetPeak(): void {
    this.#peakKib = 0;
  }

  /** Kills what is left in it, and takes it away. */
  async remove(): Promise<void> {
    clearInterval(this.#timer);
    await removeGroup(this.#folder);
  }

  #look(): void {
    let kib = 0;
    for (const pid of pidsIn(this.#folder)) kib += residentKib(pid);
    this.#peakKib = Math.max(this.#peakKib, kib);
  }
}

/**
 * Puts this process into a group of the experiment, and with it all that it starts from now on: should it be killed, the next experiment finds what it has left.
 * Gives the way back to the group that it was in.
 */
export function joinGroup(): () => Promise<void> {
  const root = mount ?? '';
  const [, own = '/'] = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8')) ?? [];
  const folder = join(root, `${prefix}${String(process.pid)}`, 'beside');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'cgroup.procs'), String(process.pid));
  return async () => {
    writeFileSync(join(root, own, 'cgroup.procs'), String(process.pid));
    await removeGroup(folder);
  };
}

/** Kills what an experiment that was killed has left running, and takes away this one's groups, once their meters are gone. */
export async function removeLeftGroups(): Promise<void> {
  if (mount === undefined) return;
  for (const name of readdirSync(mount)) {
    if (!name.startsWith(prefix)) continue;
    const pid = Number.parseInt(name.slice(prefix.length), 10);
    if (pid !== process.pid && processFacts(pid) !== null) continue;
    const folder = join(mount, name);
    for (const side of foldersIn(folder)) await removeGroup(join(folder, side));
    await removeGroup(folder);
  }
}

async function removeGroup(folder: string): Promise<void> {
  if (!existsSync(folder)) return;
  writeFileSync(join(folder, 'cgroup.kill'), '1');
  // Killed processes are in it until the kernel has taken them apart.
  while (readFileSync(join(folder, 'cgroup.events'), 'utf8').includes('populated 1')) await sleep(10);
  rmdirSync(folder);
}

function foldersIn(path: string): string[] {
  return readdirSync(path, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
}

function pidsIn(folder: string): string[] {
  return readFileSync(join(folder, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean);
}

function residentKib(pid: string): number {
  try {
    return Number(/^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    // It has ended meanwhile.
    return 0;
  }
}
