import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Client, ClientChannel } from 'ssh2';
import { isSealiftError, SealiftError } from '../domain/error.ts';
import type { RemoteDom0, RunningProgram, StartOptions } from './access.ts';
import { programCommand, shellCommand } from './ssh-command.ts';
import { leftovers } from './ssh-leftovers.ts';
import { attendProgram } from './ssh-program.ts';
import type { RemoteOutcome } from './ssh-program.ts';
import { SshShell } from './ssh-shell.ts';
import { talkTo } from './ssh-talk.ts';
import type { Told } from './ssh-shell.ts';
import { openSsh } from './ssh.ts';
import { Turns } from './turns.ts';

export interface Ask {
  limitMs: number;
  gently?: boolean;
  env?: Readonly<Record<string, string>>;
}

/** A server that is asked nothing else is asked whether it is there still; so long without an answer, and the connection is lost. */
const stallMs = 20_000;
/** Together less than what a server allows of old, which is 10 (MaxSessions of sshd_config(5)). */
const mostPrograms = 4;
const mostShells = 4;
const refusedMs = 10_000;
const refusedPauseMs = 20;
/** On top of a program's own limit. */
const graceMs = 30_000;
/** For what ends soon: long enough for a disk that is slow below everything else. */
const questionMs = 90_000;
const leftoversMs = 30_000;
const killedPauseMs = 50;
/** A year. */
const foreverMs = 365 * 24 * 3_600_000;

/**
 * A line into a dom0, opened when it is needed and taken up again when it was lost. What may still act of a line that was lost is ended before
 * anything is done by the next one: its shells, and its writes. Programs that change something else are known by their intents.
 */
export class SshLine {
  readonly #remote: RemoteDom0;
  readonly #id = randomBytes(9).toString('hex');
  readonly #programs = new Turns(mostPrograms);
  readonly #questions = new Turns(mostShells);
  #client: Promise<Client> | null = null;
  #opened = 0;
  #left = false;
  #shells: SshShell[] = [];
  readonly #waiting = new Set<(error: SealiftError) => void>();

  constructor(remote: RemoteDom0) {
    this.#remote = remote;
  }

  /**
   * Runs a program there by a session of its own. Throws 'dom0-away' when the line is lost: nobody knows then whether it ran, or runs
   * still.
   */
  async run(argv: readonly string[], ask: Ask): Promise<RemoteOutcome> {
    return this.#programs.take(() => this.#untilBegun((begin) => this.#program(argv, ask, undefined, begin)));
  }

  /** Starts one that bytes are exchanged with. It loses its pipes with the line, and nothing limits its time. Throws 'dom0-away'. */
  async start(argv: readonly string[], { env = {}, onLine = () => undefined }: StartOptions): Promise<RunningProgram> {
    const client = await this.#connected();
    const mark = `sealift-${randomBytes(9).toString('hex')}`;
    const command = programCommand(argv, { mark, user: this.#remote.user, env, limitMs: foreverMs, gently: false });
    const program = await this.#unlessLost(() =>
      this.#session(client, command, (channel) => talkTo(channel, { mark, onLine })),
    );
    if (program === null) throw this.#away('a program ended before it began');
    return program;
  }

  /** The same with `input`, for a write: when it has failed for the line, it has ended all the same. */
  async write(argv: readonly string[], input: Buffer, limitMs: number): Promise<RemoteOutcome> {
    const ask = { limitMs, env: leftovers.mark(this.#remote.owner, this.#id) };
    return this.#programs.take(async () => {
      try {
        const outcome = await this.#untilBegun((begin) => this.#program(argv, ask, input, begin));
        if (outcome.exitCode !== null && !outcome.timedOut) return outcome;
        // It may be asleep in the kernel, and write yet.
        this.#drop('a write does not end');
        throw this.#away('a write does not end');
      } catch (error) {
        while (!this.#left && !(await this.#isOpen())) await pause(1_000);
        throw error;
      }
    });
  }

  /** Runs a program that ends soon and needs no input; throws the same. It goes by a shell that is there. */
  async ask(argv: readonly string[]): Promise<Told> {
    return this.#questions.take(() => this.#untilBegun((begin) => this.#question(argv, begin)));
  }

  /** Ends what an earlier process of this host has left there. */
  async settle(): Promise<void> {
    await this.#endLeftovers(await this.#connected(), leftovers.ofOwner(this.#remote.owner));
  }

  /** Ends the connection, and what waits for an answer by it. */
  leave(): void {
    this.#left = true;
    this.#drop('this host has left its dom0');
  }

  /** A line that proves dead before anything has begun by it is opened once more. */
  async #untilBegun<Result>(work: (begin: () => void) => Promise<Result>): Promise<Result> {
    const known = this.#client;
    const state = { begun: false };
    const begin = (): void => {
      state.begun = true;
    };
    try {
      return await work(begin);
    } catch (error) {
      if (known === null || known === this.#client || state.begun) throw error;
      return work(begin);
    }
  }

  async #program(
    argv: readonly string[],
    ask: Ask,
    input: Buffer | undefined,
    begin: () => void,
  ): Promise<RemoteOutcome> {
    const client = await this.#connected();
    return this.#unlessLost(() => this.#programBy(client, argv, ask, input, begin));
  }

  async #programBy(
    client: Client,
    argv: readonly string[],
    { limitMs, gently = false, env = {} }: Ask,
    input: Buffer | undefined,
    begin: () => void,
  ): Promise<RemoteOutcome> {
    const mark = `sealift-${randomBytes(9).toString('hex')}`;
    const command = programCommand(argv, { mark, user: this.#remote.user, env, limitMs, gently });
    const outcome = await this.#session(client, command, (channel) =>
      attendProgram(
        channel,
        { mark, limitMs, graceMs, input },
        {
          onBegin: begin,
          onHang: () => {
            this.#drop('a program does not end');
          },
        },
      ),
    );
    if ('exitCode' in outcome) return outcome;
    throw this.#away(outcome.said === '' ? 'a program ended without telling how' : outcome.said);
  }

  async #question(argv: readonly string[], begin: () => void): Promise<Told> {
    const client = await this.#connected();
    const timer = setTimeout(() => client.destroy(), questionMs);
    try {
      return await this.#unlessLost(async () => {
        this.#shells = this.#shells.filter(({ over }) => !over);
        const shell = this.#shells.pop() ?? (await this.#shell(client));
        begin();
        const told = await this.#told(shell, argv);
        // Not one of a line that was lost meanwhile.
        if (this.#client !== null && (await this.#client) === client && !shell.over) this.#shells.push(shell);
        return told;
      });
    } finally {
      clearTimeout(timer);
    }
  }

  async #shell(client: Client): Promise<SshShell> {
    const env = leftovers.mark(this.#remote.owner, this.#id);
    const command = shellCommand({ user: this.#remote.user, env });
    const shell = await this.#session(client, command, (channel) => new SshShell(channel));
    // With what the user's own shell has printed.
    await this.#told(shell, ['true']);
    return shell;
  }

  #told(shell: SshShell, argv: readonly string[]): Promise<Told> {
    return shell.ask(argv).catch((error: unknown) => {
      throw this.#away(said(error));
    });
  }

  /** Gives up when the line is lost. */
  async #unlessLost<Result>(work: () => Promise<Result>): Promise<Result> {
    const { promise: lost, reject } = Promise.withResolvers<never>();
    lost.catch(() => undefined);
    this.#waiting.add(reject);
    try {
      return await Promise.race([work(), lost]);
    } finally {
      this.#waiting.delete(reject);
    }
  }

  /** A server may take a moment to notice that an earlier session is over, and refuses one too many until then. */
  async #session<Attended>(
    client: Client,
    command: string,
    attend: (channel: ClientChannel) => Attended,
  ): Promise<Attended> {
    const end = performance.now() + refusedMs;
    for (;;) {
      const { promise, resolve } = Promise.withResolvers<Error | { attended: Attended }>();
      try {
        client.exec(command, (error, channel) => {
          // At once: all that it writes may be here already.
          resolve(error ?? { attended: attend(channel) });
        });
      } catch (error) {
        // It was lost a moment ago.
        throw this.#away(said(error));
      }
      const begun = await promise;
      if (!(begun instanceof Error)) return begun.attended;
      if (performance.now() > end) throw this.#away(begun.message);
      await pause(refusedPauseMs);
    }
  }

  /** Whether there is a line now, by which everything of the one before it has ended. */
  async #isOpen(): Promise<boolean> {
    return this.#connected().then(
      () => true,
      () => false,
    );
  }

  async #connected(): Promise<Client> {
    if (this.#left) throw this.#away('this host has left its dom0');
    this.#client ??= this.#open();
    return this.#client;
  }

  #open(): Promise<Client> {
    const opening = openSsh(this.#remote, stallMs, ({ message }) => {
      if (this.#client === opening) this.#lost(message);
    })
      .then(async (client) => {
        this.#opened += 1;
        if (this.#opened === 1) return client;
        const timer = setTimeout(() => client.destroy(), leftoversMs);
        try {
          await this.#unlessLost(() => this.#endLeftovers(client, leftovers.ofLine(this.#remote.owner, this.#id)));
          return client;
        } catch (error) {
          client.destroy();
          throw error;
        } finally {
          clearTimeout(timer);
        }
      })
      .catch((error: unknown) => {
        if (this.#client === opening) this.#client = null;
        if (!isSealiftError(error) || error.type !== 'ssh-failed') throw error;
        throw new SealiftError('dom0-away', error.message, { cause: error });
      });
    return opening;
  }

  async #endLeftovers(client: Client, argv: readonly string[]): Promise<void> {
    const end = performance.now() + leftoversMs;
    for (;;) {
      const ask = { limitMs: leftoversMs };
      const { exitCode, stdout } = await this.#programBy(client, argv, ask, undefined, () => undefined);
      const pids = exitCode === 0 ? leftovers.killed(stdout.toString('utf8')) : null;
      if (pids === null) throw this.#away('dom0 does not tell what is left of an earlier line');
      if (pids.length === 0) return;
      if (performance.now() > end) throw this.#away(`what is left of an earlier line does not end: ${pids.join(', ')}`);
      await pause(killedPauseMs);
    }
  }

  #drop(why: string): void {
    const client = this.#client;
    this.#lost(why);
    void client?.then(
      (open) => open.destroy(),
      () => undefined,
    );
  }

  #lost(why: string): void {
    this.#client = null;
    this.#shells = [];
    for (const tell of this.#waiting) tell(new SealiftError('dom0-away', why));
  }

  #away(why: string): SealiftError {
    const { user, address, port } = this.#remote;
    const hint = why.includes('sudo: ')
      ? { hint: `in a file of /etc/sudoers.d: ${user} ALL=(root) NOPASSWD: ALL` }
      : {};
    return new SealiftError('dom0-away', `SSH to ${user}@${address}:${String(port)}: ${why}`, hint);
  }
}

function said(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
