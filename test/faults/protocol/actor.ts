import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { HostActivities } from '../../../activities/port.ts';
import { orphansOf } from '../../../deed/orphans.ts';
import type { StandInHost } from '../../../infra/stand-in-host.ts';
import { hostProcess } from '../../../workers/host-process.ts';
import { Director } from '../../matrix/director.ts';
import '../../support/cache.ts';

const answer = z.union([
  z.object({ result: z.unknown() }),
  z.object({ refused: z.object({ type: z.string(), message: z.string() }) }),
]);
/** What came of a step: its result, its refusal, or nothing, since its process died. */
export type Answer = { result: unknown } | { refused: { type: string; message: string } } | { died: true };

/** A host's process, which is killed and started again as often as one likes. */
export class Actor {
  readonly host: StandInHost;
  readonly #folder: string;
  #child: ChildProcess | null = null;
  #settle: (answer: Answer) => void = () => undefined;

  /** `folder` is that of all hosts; orders to die lie there. */
  constructor(host: StandInHost, folder: string) {
    this.host = host;
    this.#folder = folder;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  async start(): Promise<void> {
    const child = fork(join(import.meta.dirname, 'actor-process.ts'), [this.host.filePath], {
      execArgv: [...hostProcess.flags],
      env: { ...process.env, ...hostProcess.env, ...this.host.env, ...Director.environment(this.#folder) },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    child.on('message', (message) => {
      this.#settle(answer.parse(message));
    });
    child.on('exit', () => {
      this.#settle({ died: true });
    });
    this.#child = child;
    const first = await this.#answer();
    if ('died' in first) throw new Error(`the process of ${this.host.name} did not become ready`);
  }

  /** Asks for a step; the process answers, or dies over it. */
  async ask(step: keyof HostActivities | 'claim', ...ask: unknown[]): Promise<Answer> {
    const answered = this.#answer();
    this.#living().send({ step, ask });
    return answered;
  }

  /** The process will die right before the so-manieth thing from now on that it makes durable, or program that it starts. */
  async dieAt(operation: number): Promise<void> {
    await writeFile(this.#order(), String(operation));
  }

  /** Resolves when the process that there is now has ended. */
  async death(): Promise<void> {
    const child = this.#living();
    if (isAlive(child)) await once(child, 'exit');
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child !== null && isAlive(child)) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    this.#child = null;
    await rm(this.#order(), { force: true });
  }

  /** Killed if it lives still, and started again when the programs that it left behind have ended. */
  async restart(lineage: string): Promise<void> {
    await this.kill();
    while ((await orphansOf(lineage)).length > 0) await sleep(20);
    await this.start();
  }

  #order(): string {
    return join(this.#folder, `${this.host.name}.dies`);
  }

  #living(): ChildProcess {
    if (this.#child === null) throw new Error(`${this.host.name} has no process`);
    return this.#child;
  }

  #answer(): Promise<Answer> {
    return new Promise((resolve) => {
      this.#settle = resolve;
    });
  }
}

function isAlive({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode === null && signalCode === null;
}
