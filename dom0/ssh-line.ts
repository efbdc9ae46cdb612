import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Client, ClientChannel } from 'ssh2';
import { isSealiftError, SealiftError } from '../domain/error.ts';
import { openSsh } from './ssh.ts';
import type { SshServer } from './ssh.ts';
import { remoteCommand } from './ssh-command.ts';

export interface RemoteOutcome {
  /** Null when a signal ended it. */
  exitCode: number | null;
  /** Its limit ended it. */
  timedOut: boolean;
  stdout: Buffer;
  stderr: string;
}

export interface Ask {
  limitMs: number;
  env?: Readonly<Record<string, string>>;
  input?: Buffer;
}

/** A server that is asked nothing else is asked whether it is there still; so long without an answer, and the connection is lost. */
const stallMs = 20_000;
/** What a server allows of old is 10 (MaxSessions of sshd_config(5)). */
const mostSessions = 8;
const refusedMs = 10_000;
const refusedPauseMs = 20;
const mostBytes = 64 * 1024 * 1024;
/** On top of a program's own limit, before the connection is taken for dead. */
const graceMs = 30_000;

/** A line into a dom0, opened when it is needed and taken up again when it was lost. */
export class SshLine {
  readonly #server: SshServer;
  #client: Promise<Client> | null = null;
  readonly #running = new Set<(error: SealiftError) => void>();
  #sessions = 0;
  #waiting: (() => void)[] = [];

  constructor(server: SshServer) {
    this.#server = server;
  }

  /**
   * Runs a program there and gives it `input`. Throws 'dom0-away' when the line is lost: nobody knows then whether it ran, or
   * runs still.
   */
  async run(argv: readonly string[], ask: Ask): Promise<RemoteOutcome> {
    while (this.#sessions >= mostSessions) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#sessions += 1;
    try {
      return await this.#run(argv, ask);
    } finally {
      this.#sessions -= 1;
      this.#waiting.shift()?.();
    }
  }

  leave(): void {
    const client = this.#client;
    this.#client = null;
    void client?.then(
      (open) => open.destroy(),
      () => undefined,
    );
  }

  /** A line that proves dead before anything has run on it is opened once more. */
  async #run(argv: readonly string[], ask: Ask): Promise<RemoteOutcome> {
    const known = this.#client;
    const state = { begun: false };
    try {
      return await this.#once(argv, ask, state);
    } catch (error) {
      if (known === null || known === this.#client || state.begun) throw error;
      return this.#once(argv, ask, state);
    }
  }

  async #once(argv: readonly string[], ask: Ask, state: { begun: boolean }): Promise<RemoteOutcome> {
    const { limitMs, env = {} } = ask;
    const mark = `sealift-${randomBytes(9).toString('hex')}`;
    const command = remoteCommand(argv, { mark, user: this.#server.user, env, limitMs });
    const client = await this.#connected();
    const { promise, resolve, reject } = Promise.withResolvers<RemoteOutcome>();
    this.#running.add(reject);
    const timer = setTimeout(() => client.destroy(), limitMs + graceMs);
    try {
      const began = this.#session(client, command, (channel) => {
        state.begun = true;
        attend(channel, mark, ask, (outcome) => {
          if (outcome === null) reject(this.#away('a program ended without telling how'));
          else resolve(outcome);
        });
      });
      await Promise.race([began, promise]);
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#running.delete(reject);
    }
  }

  /** A server may take a moment to notice that an earlier session is over, and refuses one too many until then. */
  async #session(client: Client, command: string, onBegun: (channel: ClientChannel) => void): Promise<void> {
    const end = performance.now() + refusedMs;
    for (;;) {
      const { promise, resolve } = Promise.withResolvers<Error | null>();
      client.exec(command, (error, channel) => {
        // At once: all that it writes may be here already.
        if (error === undefined) onBegun(channel);
        resolve(error ?? null);
      });
      const error = await promise;
      if (error === null) return;
      if (performance.now() > end) throw this.#away(error.message);
      await pause(refusedPauseMs);
    }
  }

  #connected(): Promise<Client> {
    this.#client ??= this.#open();
    return this.#client;
  }

  #open(): Promise<Client> {
    const opening = openSsh(this.#server, stallMs, ({ message }) => {
      if (this.#client !== opening) return;
      this.#client = null;
      for (const tell of this.#running) tell(new SealiftError('dom0-away', message));
    }).catch((error: unknown) => {
      if (this.#client === opening) this.#client = null;
      if (!isSealiftError(error) || error.type !== 'ssh-failed') throw error;
      throw new SealiftError('dom0-away', error.message, { cause: error });
    });
    return opening;
  }

  #away(why: string): SealiftError {
    const { user, address, port } = this.#server;
    return new SealiftError('dom0-away', `SSH to ${user}@${address}:${String(port)}: ${why}`);
  }
}

/** Gives a program its input and gathers what it writes; null when its channel closed without telling how it ended. */
function attend(
  channel: ClientChannel,
  mark: string,
  { limitMs, input }: Ask,
  onEnd: (outcome: RemoteOutcome | null) => void,
): void {
  const seen: { begunAt: number; exit: { code: number | null } | null } = { begunAt: Infinity, exit: null };
  const stdout = new MarkedOutput(mark, () => {
    seen.begunAt = performance.now();
    channel.end(input);
  });
  const stderr = new MarkedOutput(mark);
  channel.on('data', (piece: Buffer) => {
    stdout.add(piece);
  });
  channel.stderr.on('data', (piece: Buffer) => {
    stderr.add(piece);
  });
  // The end of its input, when the program is gone before.
  channel.on('error', () => undefined);
  channel.on('exit', (code: number | null) => {
    seen.exit = { code };
  });
  channel.on('close', () => {
    if (seen.exit === null) {
      onEnd(null);
      return;
    }
    const { code } = seen.exit;
    const timedOut = (code === null || code === 137) && performance.now() - seen.begunAt >= limitMs * 0.9;
    onEnd({ exitCode: code, timedOut, stdout: stdout.bytes(), stderr: stderr.bytes().toString('utf8') });
  });
}

/** What follows the mark in an output. */
class MarkedOutput {
  readonly #mark: Buffer;
  readonly #onMark: () => void;
  #pieces: Buffer[] = [];
  #lengthBytes = 0;
  #begun = false;

  constructor(mark: string, onMark: () => void = () => undefined) {
    this.#mark = Buffer.from(`${mark}\n`);
    this.#onMark = onMark;
  }

  add(piece: Buffer): void {
    if (this.#lengthBytes > mostBytes) return;
    this.#pieces.push(piece);
    this.#lengthBytes += piece.length;
    if (this.#begun) return;
    const all = Buffer.concat(this.#pieces);
    const at = all.indexOf(this.#mark);
    if (at < 0) return;
    this.#begun = true;
    this.#pieces = [all.subarray(at + this.#mark.length)];
    this.#onMark();
  }

  /** Before the mark came, what was said instead of it. */
  bytes(): Buffer {
    return Buffer.concat(this.#pieces);
  }
}
