import { randomBytes } from 'node:crypto';
import type { ClientChannel } from 'ssh2';
import { quotedWords } from './ssh-command.ts';

export interface Told {
  exitCode: number;
  stdout: Buffer;
  stderr: string;
}

/**
 * A shell of dom0 that is asked one thing after another, each a program with its arguments and no input, so that not each has to log in
 * and to become root.
 */
export class SshShell {
  readonly #channel: ClientChannel;
  #asked: Asked | null = null;
  #over = false;

  constructor(channel: ClientChannel) {
    this.#channel = channel;
    channel.on('data', (piece: Buffer) => {
      this.#heard('stdout', piece);
    });
    channel.stderr.on('data', (piece: Buffer) => {
      this.#heard('stderr', piece);
    });
    channel.on('error', () => undefined);
    channel.on('close', () => {
      this.#over = true;
      const said = this.#asked?.stderr.soFar().toString('utf8').trim() ?? '';
      this.#asked?.reject(new Error(said === '' ? 'a shell ended' : said));
    });
  }

  /** Whether it has ended. */
  get over(): boolean {
    return this.#over;
  }

  /** One at a time. Throws, with what was on its standard error last, when the shell ends. */
  async ask(argv: readonly string[]): Promise<Told> {
    if (this.#over) throw new Error('a shell ended');
    const mark = randomBytes(12).toString('hex');
    const { promise, resolve, reject } = Promise.withResolvers<Told>();
    this.#asked = { mark, stdout: new Output(mark), stderr: new Output(mark), resolve, reject };
    const end = `printf '\\n%s %s\\n' ${mark} $?; printf '\\n%s 0\\n' ${mark} >&2`;
    this.#channel.write(`${quotedWords(argv)} </dev/null; ${end}\n`);
    return promise;
  }

  #heard(output: 'stdout' | 'stderr', piece: Buffer): void {
    const asked = this.#asked;
    if (asked === null) return;
    asked[output].add(piece);
    const [stdout, stderr] = [asked.stdout.whole(), asked.stderr.whole()];
    if (stdout === null || stderr === null) return;
    this.#asked = null;
    asked.resolve({ exitCode: stdout.status, stdout: stdout.bytes, stderr: stderr.bytes.toString('utf8') });
  }
}

interface Asked {
  mark: string;
  stdout: Output;
  stderr: Output;
  resolve: (told: Told) => void;
  reject: (error: Error) => void;
}

/** What a program writes, which ends with a line of the mark and its exit code. */
class Output {
  readonly #mark: string;
  readonly #pieces: Buffer[] = [];
  /** The line may come in several pieces. */
  #tail = Buffer.alloc(0);
  #whole: { bytes: Buffer; status: number } | null = null;

  constructor(mark: string) {
    this.#mark = mark;
  }

  add(piece: Buffer): void {
    this.#pieces.push(piece);
    const lineBytes = this.#mark.length + 8;
    this.#tail = Buffer.concat([this.#tail, piece.subarray(-lineBytes)]).subarray(-lineBytes);
    const end = new RegExp(`\\n${this.#mark} (\\d+)\\n$`).exec(this.#tail.toString('latin1'));
    if (end === null) return;
    const all = this.soFar();
    this.#whole = { bytes: all.subarray(0, all.length - end[0].length), status: Number(end[1]) };
  }

  soFar(): Buffer {
    return Buffer.concat(this.#pieces);
  }

  whole(): { bytes: Buffer; status: number } | null {
    return this.#whole;
  }
}
