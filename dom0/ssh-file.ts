import type { FileStatus, OpenFile, OpenOptions } from './access.ts';

type Do = (argv: readonly string[], input?: Buffer) => Promise<Buffer>;

/**
 * A file of a dom0 that is entered by SSH. Each read and each write opens it anew by its name, in a dd(1) of its own: with O_DIRECT where it is
 * asked for, which SFTP has not, and a write is durable when it has ended, by the same descriptor that it was made by. So no
 * failed write-back can get lost between two sessions.
 */
export class SshFile implements OpenFile {
  readonly #path: string;
  readonly #options: OpenOptions;
  readonly #do: Do;
  readonly #stat: () => Promise<FileStatus>;

  constructor(path: string, options: OpenOptions, act: Do, stat: () => Promise<FileStatus>) {
    this.#path = path;
    this.#options = options;
    this.#do = act;
    this.#stat = stat;
  }

  /** Finds out whether it can be opened, or makes it. */
  async open(access: 'read' | 'write' | 'new'): Promise<void> {
    if (access === 'read') await this.#do(this.#dd([`if=${this.#path}`, 'of=/dev/null', 'count=0'], 'iflag', []));
    else if (access === 'write') {
      await this.#do(this.#dd([`of=${this.#path}`, 'if=/dev/null', 'conv=notrunc,nocreat'], 'oflag', []));
    } else {
      await this.#do(this.#dd([`of=${this.#path}`, 'if=/dev/null', 'conv=excl'], 'oflag', []));
      await this.#do(['chmod', (this.#options.mode ?? 0o600).toString(8), '--', this.#path]);
    }
  }

  async read(into: Buffer, offset: number, lengthBytes: number, atBytes: number): Promise<{ bytesRead: number }> {
    const size = [`bs=${String(blockBytes(lengthBytes))}`, `skip=${String(atBytes)}`, `count=${String(lengthBytes)}`];
    const flags = ['skip_bytes', 'count_bytes', 'fullblock'];
    const bytes = await this.#do(this.#dd([`if=${this.#path}`, ...size], 'iflag', flags));
    return { bytesRead: bytes.copy(into, offset, 0, lengthBytes) };
  }

  async write(from: Buffer, offset: number, lengthBytes: number, atBytes: number): Promise<{ bytesWritten: number }> {
    const size = [`bs=${String(blockBytes(lengthBytes))}`, `seek=${String(atBytes)}`, 'iflag=fullblock'];
    const argv = this.#dd([`of=${this.#path}`, ...size, 'conv=notrunc,nocreat,fdatasync'], 'oflag', ['seek_bytes']);
    await this.#do(argv, from.subarray(offset, offset + lengthBytes));
    return { bytesWritten: lengthBytes };
  }

  async writeFile(text: string): Promise<void> {
    const bytes = Buffer.from(text);
    if (bytes.length > 0) await this.write(bytes, 0, bytes.length, 0);
  }

  async truncate(sizeBytes: number): Promise<void> {
    await this.#do(['truncate', '-c', '-s', String(sizeBytes), '--', this.#path]);
  }

  async sync(): Promise<void> {
    await this.#do(['sync', '--', this.#path]);
  }

  datasync(): Promise<void> {
    // Each write was made durable by itself.
    return Promise.resolve();
  }

  stat(): Promise<FileStatus> {
    return this.#stat();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #dd(operands: string[], flagName: 'iflag' | 'oflag', own: string[]): string[] {
    const { direct = false, plain = false } = this.#options;
    const flags = [...own, ...(direct ? ['direct'] : []), ...(plain ? ['nofollow', 'nonblock'] : [])];
    return ['dd', ...operands, ...(flags.length === 0 ? [] : [`${flagName}=${flags.join(',')}`]), 'status=none'];
  }
}

/** A unit that divides the length: what does not fill dd's last block it would write without O_DIRECT. */
function blockBytes(lengthBytes: number): number {
  for (let bytes = 1024 * 1024; bytes > 512; bytes /= 2) if (lengthBytes % bytes === 0) return bytes;
  return lengthBytes <= 1024 * 1024 ? Math.max(1, lengthBytes) : 4096;
}
