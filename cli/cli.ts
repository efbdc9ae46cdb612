import { hostname, userInfo } from 'node:os';
import { z } from 'zod';
import type { ConnectOptions, Sealift } from '../client/index.ts';
import { isSealiftError } from '../domain/error.ts';
import { exitCodeOf, exitCodes } from './exit-codes.ts';
import type { ExitCode } from './exit-codes.ts';
import { clean } from './format.ts';
import type { Io } from './io.ts';
import { parseOptions } from './parse.ts';

const globalOptions = z.object({
  json: z.boolean().default(false),
  address: z.string().optional(),
  namespace: z.string().optional(),
  profile: z.string().optional(),
});

/** One run of the command: where its words go, how it reaches Temporal, and the exit code it ends with. */
export class Cli {
  readonly io: Io;
  /** One object on standard output, or one a line, and nothing else there. */
  json = false;
  exitCode: ExitCode = exitCodes.done;
  /** The command so far, as it was typed: `sealift vm adopt`. */
  #command = 'sealift';
  #settings: ConnectOptions = {};
  #client: Sealift | null = null;

  constructor(io: Io) {
    this.io = io;
  }

  /** The next word of the command that is about to be read. */
  enter(word: string): void {
    this.#command += ` ${word}`;
  }

  /** Takes the options that every command has. */
  configure(raw: unknown): void {
    const { json, ...settings } = parseOptions(globalOptions, raw);
    this.json = json;
    this.#settings = {
      ...(settings.address !== undefined && { address: settings.address }),
      ...(settings.namespace !== undefined && { namespace: settings.namespace }),
      ...(settings.profile !== undefined && { profile: settings.profile }),
    };
  }

  /** Whether a person sees and answers: both ends are a terminal and no `--json` was asked for. */
  get interactive(): boolean {
    return !this.json && this.io.stdout.isTTY === true && this.io.stdin.isTTY === true;
  }

  /** The result: an object with `--json`, else lines for people. */
  answer(value: unknown, lines: string[]): void {
    if (this.json) this.event(value);
    else this.lines(lines);
  }

  /** One object on one line, whatever the mode. */
  event(value: unknown): void {
    this.io.stdout.write(`${JSON.stringify(value)}\n`);
  }

  /** Lines for people on standard output; none with `--json`. */
  lines(lines: string[]): void {
    if (this.json) return;
    for (const line of lines) this.io.stdout.write(`${clean(line)}\n`);
  }

  /** A line beside the result, on standard error; none with `--json`. */
  note(line: string): void {
    if (!this.json) this.io.stderr.write(`${clean(line)}\n`);
  }

  /** Who asks, for the hosts' logs and the receipt. */
  get user(): string {
    return `${userInfo().username}@${hostname()}`;
  }

  async connect(): Promise<Sealift> {
    this.#client ??= await this.io.connect(this.#settings);
    return this.#client;
  }

  async close(): Promise<void> {
    await this.#client?.close();
  }

  /** Says what went wrong in the one form that errors have, and remembers the exit code. */
  fail(error: unknown): void {
    this.exitCode = exitCodeOf(error);
    const told = describe(error, this.#command);
    if (this.json) this.event({ error: told });
    this.io.stderr.write(`sealift: ${clean(told.message)}  [${told.type}]\n`);
    if (told.hint !== null) this.io.stderr.write(`hint: ${clean(told.hint)}\n`);
    if (told.type === 'internal' && error instanceof Error && this.io.env.SEALIFT_DEBUG !== undefined) {
      this.io.stderr.write(`${error.stack ?? ''}\n`);
    }
  }
}

/** Type, line and hint of anything thrown by a command. */
function describe(error: unknown, command: string): { type: string; message: string; hint: string | null } {
  if (isSealiftError(error)) {
    const usage = error.type === 'bad-usage' ? `${command} --help shows how it is used` : null;
    return { type: error.type, message: error.message, hint: error.hint ?? usage };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { type: 'internal', message, hint: 'run it again with SEALIFT_DEBUG=1 for the place, and report it' };
}
