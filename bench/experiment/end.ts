import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { listening } from '../../infra/lab/listening.ts';
import type { Site } from '../../infra/lab/wan/lab.ts';
import { Meter } from './meter.ts';

/** A program of an end. */
export interface Running {
  pid: number;
  /** Rejects with the last of what it said when it fails. */
  ended: Promise<void>;
  stop: () => Promise<void>;
}

interface ProgramOptions {
  env?: Record<string, string>;
  signal?: AbortSignal;
  /** The open file that is its input; without one it has none. */
  stdin?: number;
}

const mostWords = 2000;

/** One end of the line, where the programs of a way run: its site, a folder of its own, and what they cost. */
export class End {
  readonly site: Site;
  readonly folder: string;
  readonly meter: Meter;

  /** `name`: of its meter, of which there is one. */
  constructor(name: string, site: Site, folder: string) {
    this.site = site;
    this.folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.meter = new Meter(name);
  }

  /** The place of a file here. */
  path(name: string): string {
    return join(this.folder, name);
  }

  /** Runs a program at the site to its end, metered. */
  run(program: string, args: readonly string[], options: ProgramOptions = {}): Promise<void> {
    return this.#start(program, args, options).ended;
  }

  /** Starts a program that serves on a port, and waits until it listens. */
  async serve(program: string, args: readonly string[], port: number, signal?: AbortSignal): Promise<Running> {
    const running = this.#start(program, args, signal === undefined ? {} : { signal });
    try {
      await listening(running.pid, port);
    } catch (error) {
      await running.stop();
      await running.ended;
      throw error;
    }
    return running;
  }

  /** Brings what was written to a file onto the disk. */
  async sync(path: string): Promise<void> {
    await this.run('sync', ['--data', path]);
  }

  #start(program: string, args: readonly string[], { env, signal, stdin }: ProgramOptions): Running {
    const child = spawn(...this.site.within(program, ...args), {
      stdio: [stdin ?? 'ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...env },
      killSignal: 'SIGKILL',
      ...(signal && { signal }),
      // A Ctrl-C is for who runs the experiment.
      detached: true,
    });
    this.meter.enter(child.pid ?? 0);
    let said = '';
    child.stderr?.on('data', (piece: Buffer) => {
      said = `${said}${piece.toString()}`.slice(-mostWords);
    });
    const ended = new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, killedBy) => {
        if (code === 0) resolve();
        else reject(new Error(`${program} failed (${killedBy ?? String(code)}): ${lastLine(said)}`));
      });
    });
    const over = ended.catch(() => undefined);
    const stop = async (): Promise<void> => {
      child.kill('SIGKILL');
      await over;
    };
    return { pid: child.pid ?? 0, ended, stop };
  }
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.trim() ?? '';
}
