import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, ClientChannel } from 'ssh2';
import { isSealiftError } from '../../../domain/error.ts';
import { quotedWords } from '../../../dom0/ssh-command.ts';
import { openSsh } from '../../../dom0/ssh.ts';
import type { SshServer } from '../../../dom0/ssh.ts';

export interface Said {
  /** Null when a signal ended the command. */
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

export interface ExecOptions {
  /** For the command's standard input, which is empty without. */
  input?: string | Buffer;
  /** Given up after so long. Default: two minutes. */
  limitMs?: number;
}

const execLimitMs = 120_000;
const connectLimitMs = 120_000;
/** Dom0 is an emulated processor, and busy. */
const stallMs = 60_000;

/** Runs commands in a dom0 over one SSH connection, which is made when it is needed and made anew when it was lost. */
export class Dom0Shell {
  readonly #server: SshServer;
  #client: Promise<Client> | null = null;

  constructor(server: SshServer) {
    this.#server = server;
  }

  /** Throws when the connection breaks or the time is over; not when the command fails. */
  async exec(argv: string[], options: ExecOptions = {}): Promise<Said> {
    const client = await this.#connected();
    const limitMs = options.limitMs ?? execLimitMs;
    const command = quotedWords(argv);
    const { promise, resolve, reject } = Promise.withResolvers<Said>();
    const lost = (): void => {
      reject(new Error(`${this.#server.address}: the connection ended during: ${command}`));
    };
    const timer = setTimeout(() => {
      reject(new Error(`${this.#server.address}: no end after ${limitMs / 1000} s: ${command}`));
    }, limitMs);
    client.once('close', lost);
    client.exec(command, (error, channel) => {
      if (error === undefined) collect(channel, options.input ?? '', resolve);
      else reject(error);
    });
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      client.removeListener('close', lost);
    }
  }

  /** Leaves the connection; the next command makes a new one. */
  close(): void {
    this.#client?.then(
      (client) => client.destroy(),
      () => undefined,
    );
    this.#client = null;
  }

  #connected(): Promise<Client> {
    if (this.#client !== null) return this.#client;
    const forget = (): void => {
      if (this.#client === connecting) this.#client = null;
    };
    const connecting = connect(this.#server, forget);
    connecting.catch(forget);
    this.#client = connecting;
    return connecting;
  }
}

/** Tries for a while: a host that has just been switched on does not answer at once. */
async function connect(server: SshServer, onLost: () => void): Promise<Client> {
  const end = performance.now() + connectLimitMs;
  for (;;) {
    let isUp = false;
    try {
      const client = await openSsh(server, stallMs, () => {
        if (isUp) onLost();
      });
      isUp = true;
      // Commands that run side by side each listen for the connection's end.
      client.setMaxListeners(0);
      return client;
    } catch (error) {
      if (!isSealiftError(error) || error.type !== 'ssh-failed' || performance.now() > end) throw error;
      await sleep(200);
    }
  }
}

function collect(channel: ClientChannel, input: string | Buffer, done: (said: Said) => void): void {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  let exitCode: number | null = null;
  channel.on('data', (data: Buffer) => void out.push(data));
  channel.stderr.on('data', (data: Buffer) => void err.push(data));
  channel.on('exit', (code: number | null) => {
    exitCode = code;
  });
  channel.on('close', () => {
    done({ exitCode, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() });
  });
  channel.end(input);
}
