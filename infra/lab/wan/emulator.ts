import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { execa } from 'execa';
import { SealiftError } from '../../../domain/error.ts';
import { cached } from '../cached.ts';

const source = join(import.meta.dirname, 'emulator.c');
const flags = ['-O2', '-pthread'];

/** What a direction of the line has carried and lost, in packets of MTU size. */
export interface Carried {
  /** Of the emulator's clock. */
  atMs: number;
  packets: number;
  wireBytes: number;
  lostByQueue: number;
  lostByLine: number;
}

/** The running emulator (emulator.c): two network namespaces and a line between them, which are there as long as this process, or until `stop`. */
export class Emulator {
  /** By which nsenter(1) finds the namespaces. */
  readonly namespaces: readonly [string, string];
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #answers: AsyncIterator<string>;
  readonly #ended: Promise<unknown>;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(
    child: ChildProcessByStdio<Writable, Readable, null>,
    answers: AsyncIterator<string>,
    namespaces: readonly [string, string],
  ) {
    this.#child = child;
    this.#answers = answers;
    this.namespaces = namespaces;
    this.#ended = once(child, 'exit');
    child.stdin.on('error', () => undefined);
  }

  /** Builds the program with the system's compiler, unless it is in `cacheFolder`, and starts it. `device`: of the line, in both namespaces. */
  static async start(cacheFolder: string, device: string): Promise<Emulator> {
    const text = await readFile(source);
    const folder = await cached(cacheFolder, 'wan-emulator', [text, flags.join(' ')], async (made) => {
      await execa('cc', [...flags, '-o', join(made, 'emulator'), source]);
    });
    const child = spawn(join(folder, 'emulator'), [device], {
      stdio: ['pipe', 'pipe', 'inherit'],
      // A Ctrl-C is for who started it, and who then takes it down.
      detached: true,
    });
    const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const first = await answers.next();
    const [word, one, two] = first.done === true ? [] : first.value.split(' ');
    if (word !== 'ready' || one === undefined || two === undefined)
      throw new SealiftError('internal', 'the emulator of a line does not start');
    return new Emulator(child, answers, [one, two]);
  }

  /** Sets some of what emulator.c calls its settings. */
  async set(settings: Readonly<Record<string, number>>): Promise<void> {
    const words = Object.entries(settings).map(([name, value]) => `${name}=${String(Math.round(value))}`);
    const answer = await this.#ask(`set ${words.join(' ')}`);
    if (answer !== 'ok') throw new SealiftError('internal', `the emulator of a line says: ${answer}`);
  }

  /** Since its start; from the first site to the second, and back. */
  async carried(): Promise<[Carried, Carried]> {
    const numbers = (await this.#ask('stats')).split(' ').map(Number);
    const way = (from: number): Carried => {
      const [atNs = NaN, packets = NaN, wireBytes = NaN, lostByQueue = NaN, lostByLine = NaN] = numbers.slice(from);
      return { atMs: atNs / 1e6, packets, wireBytes, lostByQueue, lostByLine };
    };
    return [way(0), way(5)];
  }

  async stop(): Promise<void> {
    this.#child.stdin.end();
    await this.#ended;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** One at a time: answers come in the order of the questions. */
  #ask(line: string): Promise<string> {
    const asked = this.#last.then(async () => {
      this.#child.stdin.write(`${line}\n`);
      const answer = await this.#answers.next();
      if (answer.done === true) throw new SealiftError('internal', 'the emulator of a line has ended');
      return answer.value;
    });
    this.#last = asked.catch(() => undefined);
    return asked;
  }
}
