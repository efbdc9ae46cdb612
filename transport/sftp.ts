import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SFTPWrapper } from 'ssh2';
import { errorCode } from '../dom0/system-errors.ts';
import { SealiftError, isSealiftError } from '../domain/error.ts';
import { openSftp } from '../dom0/ssh.ts';
import type { SshServer } from '../dom0/ssh.ts';

export type { SshServer } from '../dom0/ssh.ts';

export interface SendFileOptions {
  ssh: SshServer;
  /** A connection on which nothing comes for so long is given up. */
  stallMs: number;
  /** The local file; it does not change while it is sent. */
  from: string;
  /** The path on the server; the file is made with mode 0600. */
  to: string;
  /** What an earlier call said was synced of this same file, 0 for a new one. */
  syncedBytes: number;
  /** Told after each fsync at the server: so much, from the start, is durable. Only this is a place to go on from. */
  onSynced: (bytes: number) => void;
  /** Bytes a second, null for no limit; asked again and again. */
  limit?: () => number | null;
  /** Waited for before each piece: a pause. */
  mayGoOn?: () => Promise<void>;
  signal?: AbortSignal;
}

/** The servers' limits of old: a packet that all take, and as many at a time as fill the channel's window of 2 MiB. */
const pieceBytes = 32 * 1024;
const mostPieces = 64;
const blockBytes = 8 * pieceBytes;
const syncEveryBytes = 32 * 1024 * 1024;

/**
 * Carries a file by SFTP and makes it durable there. Goes on from the last synced offset, for pipelined writes leave holes
 * below the end of a file that was cut off. Throws 'ssh-failed', 'disk-full', 'disk-io', or the signal's reason.
 */
export async function sendFile(options: SendFileOptions): Promise<void> {
  const { from, signal } = options;
  signal?.throwIfAborted();
  const file = await open(from, 'r').catch((error: unknown) => {
    throw new SealiftError('disk-io', `file ${from} cannot be opened (${errorCode(error)})`, { cause: error });
  });
  const { promise: broken, reject: breakOff } = Promise.withResolvers<never>();
  broken.catch(() => undefined);
  const abort = () => {
    breakOff(signal?.reason);
  };
  signal?.addEventListener('abort', abort, { once: true });
  let close: () => void = () => undefined;
  try {
    const { client, sftp } = await openSftp(options.ssh, options.stallMs, breakOff);
    close = () => {
      client.destroy();
    };
    await Promise.race([new Sending(options, file, sftp, broken).run(), broken]);
  } finally {
    signal?.removeEventListener('abort', abort);
    close();
    await file.close();
  }
}

class Sending {
  readonly #options: SendFileOptions;
  readonly #file: FileHandle;
  readonly #sftp: SFTPWrapper;
  /** Rejects when the connection or the caller ends the work; nothing waits beyond it. */
  readonly #broken: Promise<never>;
  /** Offsets written and not acknowledged, in order. */
  readonly #outstanding = new Set<number>();
  #next = 0;
  #synced = 0;
  #syncing = false;
  #error: unknown = null;
  #waiting: (() => void)[] = [];
  #turnMs = 0;

  constructor(options: SendFileOptions, file: FileHandle, sftp: SFTPWrapper, broken: Promise<never>) {
    this.#options = options;
    this.#file = file;
    this.#sftp = sftp;
    this.#broken = broken;
  }

  async run(): Promise<void> {
    const { size } = await this.#file.stat();
    const { to, syncedBytes } = this.#options;
    const remoteBytes = syncedBytes === 0 ? 0 : await this.#remoteBytes();
    // A file that is shorter than what was synced is another file.
    this.#synced = remoteBytes < syncedBytes ? 0 : Math.min(syncedBytes, size);
    this.#next = this.#synced;
    const handle = await this.#asked<Buffer>((done) => {
      this.#sftp.open(to, this.#synced === 0 ? 'w' : 'r+', { mode: 0o600 }, done);
    });
    const block = Buffer.alloc(blockBytes);
    while (this.#next < size) {
      const { bytesRead } = await this.#file.read(block, 0, Math.min(blockBytes, size - this.#next), this.#next);
      if (bytesRead === 0) throw new SealiftError('disk-io', `file ${this.#options.from} became shorter`);
      for (let at = 0; at < bytesRead; at += pieceBytes) {
        await this.#piece(handle, block.subarray(at, Math.min(bytesRead, at + pieceBytes)));
      }
    }
    await this.#until(() => this.#outstanding.size === 0 && !this.#syncing);
    // An older file of that name may have been longer.
    await this.#asked((done) => {
      this.#sftp.fsetstat(handle, { size }, done);
    });
    await this.#sync(handle, size);
    await this.#asked((done) => {
      this.#sftp.close(handle, done);
    });
  }

  async #piece(handle: Buffer, piece: Buffer): Promise<void> {
    await this.#until(() => this.#outstanding.size < mostPieces);
    await this.#options.mayGoOn?.();
    await this.#turn(piece.length);
    const offset = this.#next;
    this.#next += piece.length;
    this.#outstanding.add(offset);
    // ssh2 copies the piece into its packet before it returns.
    this.#sftp.write(handle, piece, 0, piece.length, offset, (error) => {
      this.#outstanding.delete(offset);
      if (error) this.#error ??= error;
      else this.#maybeSync(handle);
      this.#wake();
    });
  }

  /** Syncs what is acknowledged without a gap, while later pieces are on their way. */
  #maybeSync(handle: Buffer): void {
    const [lowest = this.#next] = this.#outstanding;
    if (this.#syncing || lowest - this.#synced < syncEveryBytes) return;
    this.#syncing = true;
    this.#sync(handle, lowest)
      .catch((error: unknown) => {
        this.#error ??= error;
      })
      .finally(() => {
        this.#syncing = false;
        this.#wake();
      });
  }

  async #sync(handle: Buffer, upTo: number): Promise<void> {
    await this.#asked((done) => {
      this.#sftp.ext_openssh_fsync(handle, done);
    });
    this.#synced = upTo;
    this.#options.onSynced(upTo);
  }

  async #turn(bytes: number): Promise<void> {
    for (;;) {
      const limit = this.#options.limit?.() ?? null;
      const now = performance.now();
      if (limit === null) return;
      if (this.#turnMs <= now) {
        this.#turnMs = Math.max(this.#turnMs, now - 100) + (bytes * 1000) / limit;
        return;
      }
      // Short steps, for the limit may change.
      await Promise.race([sleep(Math.min(100, this.#turnMs - now)), this.#broken]);
    }
  }

  /** The length of the file there, 0 when it is not. */
  async #remoteBytes(): Promise<number> {
    try {
      return (
        await this.#asked<{ size: number }>((done) => {
          this.#sftp.stat(this.#options.to, done);
        })
      ).size;
    } catch (error) {
      if (isSealiftError(error) && statusOf(error.cause) === status.noSuchFile) return 0;
      throw error;
    }
  }

  async #until(holds: () => boolean): Promise<void> {
    for (;;) {
      if (this.#error !== null) throw await this.#explained(this.#error);
      if (holds()) return;
      await Promise.race([new Promise<void>((resolve) => this.#waiting.push(resolve)), this.#broken]);
    }
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  async #asked<T>(ask: (done: (error: Error | undefined | null, value?: unknown) => void) => void): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    try {
      ask((error, value) => {
        if (error) reject(error);
        else resolve(value as T);
      });
      return await Promise.race([promise, this.#broken]);
    } catch (error) {
      throw await this.#explained(error);
    }
  }

  /** SFTP has one code for most failures, so a full disk is found by asking. */
  async #explained(error: unknown): Promise<unknown> {
    if (isSealiftError(error)) return error;
    if (statusOf(error) === null) return error;
    const { to, ssh } = this.#options;
    const where = `${to} at ${ssh.address}`;
    if (statusOf(error) === status.failure && (await this.#isFull())) {
      return new SealiftError('disk-full', `no space for ${where}`, { cause: error });
    }
    const text = error instanceof Error ? error.message : String(error);
    return new SealiftError('ssh-failed', `SFTP to ${where}: ${text}`, { cause: error });
  }

  async #isFull(): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const folder = this.#options.to.replace(/[^/]*$/, '') || '.';
    try {
      this.#sftp.ext_openssh_statvfs(folder, (error, info: { f_bavail?: number; f_bsize?: number } | undefined) => {
        const { f_bavail = Infinity, f_bsize = 1 } = info ?? {};
        resolve(!error && f_bavail * f_bsize < blockBytes * 4);
      });
      return await Promise.race([promise, this.#broken]);
    } catch {
      return false;
    }
  }
}

/** Status codes of SFTP version 3, draft-ietf-secsh-filexfer-02 section 7. */
const status = { noSuchFile: 2, failure: 4 } as const;

function statusOf(error: unknown): number | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : null;
}
