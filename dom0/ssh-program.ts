import type { ClientChannel } from 'ssh2';

export interface RemoteOutcome {
  /** Null when a signal ended it. */
  exitCode: number | null;
  /** Its limit ended it, or something that it left behind keeps its outputs open since then. */
  timedOut: boolean;
  stdout: Buffer;
  stderr: string;
}

/** How a session ended that did not tell how its program ended, or has never begun one; `said` is what it printed instead. */
export interface Unended {
  said: string;
}

/**
 * Lets a program that waits behind its gate begin, gives it its input and gathers what it writes. `onBegin` is called before it may begin;
 * nothing begins in a session that is lost before. `onHang`: it has not ended long after its limit, and nobody hears of it any more.
 */
export function attendProgram(
  channel: ClientChannel,
  { mark, limitMs, graceMs, input }: { mark: string; limitMs: number; graceMs: number; input: Buffer | undefined },
  { onBegin, onHang }: { onBegin: () => void; onHang: () => void },
): Promise<RemoteOutcome | Unended> {
  const { promise, resolve } = Promise.withResolvers<RemoteOutcome | Unended>();
  const seen: { begunAt: number | null; exit: { code: number | null } | null } = { begunAt: null, exit: null };
  const stdout = new MarkedOutput(mark, () => {
    seen.begunAt = performance.now();
    onBegin();
    channel.write('go\n');
    channel.end(input);
  });
  const stderr = new MarkedOutput(mark);
  const end = (): void => {
    clearTimeout(timer);
    const { begunAt, exit } = seen;
    if (begunAt === null || exit === null) {
      resolve({ said: stderr.bytes().toString('utf8').trim() });
      return;
    }
    const late = performance.now() - begunAt >= limitMs * 0.9;
    const timedOut = late && (exit.code === null || exit.code === 124 || exit.code === 137);
    resolve({ exitCode: exit.code, timedOut, stdout: stdout.bytes(), stderr: stderr.bytes().toString('utf8') });
  };
  const timer = setTimeout(() => {
    // Its own limit has ended it long ago, but for what it left behind.
    if (seen.exit !== null) resolve({ exitCode: null, timedOut: true, stdout: Buffer.alloc(0), stderr: '' });
    else onHang();
    channel.close();
  }, limitMs + graceMs);
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
  channel.on('close', end);
  return promise;
}

/** What follows the mark in an output; before it came, what was said instead. */
class MarkedOutput {
  readonly #mark: Buffer;
  readonly #onMark: () => void;
  #pieces: Buffer[] = [];
  #begun = false;

  constructor(mark: string, onMark: () => void = () => undefined) {
    this.#mark = Buffer.from(`${mark}\n`);
    this.#onMark = onMark;
  }

  add(piece: Buffer): void {
    this.#pieces.push(piece);
    if (this.#begun) return;
    const all = this.bytes();
    const at = all.indexOf(this.#mark);
    if (at < 0) return;
    this.#begun = true;
    this.#pieces = [all.subarray(at + this.#mark.length)];
    this.#onMark();
  }

  bytes(): Buffer {
    return Buffer.concat(this.#pieces);
  }
}
