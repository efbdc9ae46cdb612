import { randomBytes } from 'node:crypto';
import { mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { isSealiftError } from '../../domain/error.ts';
import { sendFile } from '../../transport/sftp.ts';
import type { SendFileOptions } from '../../transport/sftp.ts';
import { sshdMissing, startSshd } from '../../infra/lab/sshd.ts';
import type { LabSshd } from '../../infra/lab/sshd.ts';
import { bytesOnly, startProxy } from './proxy.ts';

const MiB = 1024 * 1024;
const withSshd = sshdMissing === null ? describe : describe.skip;

withSshd(`a file by SFTP${sshdMissing === null ? '' : ` (skipped: ${sshdMissing})`}`, () => {
  let sshd: LabSshd;
  let folder: string;
  let from: string;
  let content: Buffer;
  let small: string;

  beforeAll(async () => {
    sshd = await startSshd();
    folder = await mkdtemp(join(tmpdir(), 'sealift-sftp-'));
    from = join(folder, 'container');
    content = randomBytes(34 * MiB + 12_345);
    await writeFile(from, content);
    small = join(folder, 'small');
    await writeFile(small, randomBytes(1000));
  });
  afterAll(async () => {
    await sshd.stop();
    await rm(folder, { recursive: true, force: true });
  });

  function options(to: string, more: Partial<SendFileOptions> = {}): SendFileOptions {
    return {
      ssh: sshd,
      stallMs: 20_000,
      from,
      to: join(folder, to),
      syncedBytes: 0,
      onSynced: () => undefined,
      ...more,
    };
  }

  test('arrives whole, with its syncs told in order, over an older and longer file', async () => {
    await writeFile(join(folder, 'whole'), Buffer.alloc(35 * MiB, 7));
    const synced: number[] = [];
    await sendFile(options('whole', { onSynced: (bytes) => synced.push(bytes) }));
    expect((await readFile(join(folder, 'whole'))).equals(content)).toBe(true);
    expect(synced.at(-1)).toBe(content.length);
    expect(synced).toEqual([...synced].sort((a, b) => a - b));
    expect(synced.length).toBe(2);
  });

  test('goes on from the last synced offset after the server was killed, whatever lies behind it', async () => {
    const line = await startProxy(sshd.port, undefined, bytesOnly);
    let synced = 0;
    const cut = sendFile(
      options('cut', {
        ssh: { ...sshd, port: line.port },
        onSynced: (bytes) => {
          synced = bytes;
          // Else the rest may have arrived before the server is dead.
          line.stall('both');
          void sshd.kill();
        },
      }),
    );
    await expect(cut).rejects.toMatchObject({ type: 'ssh-failed' });
    await line.close();
    expect(synced).toBeGreaterThanOrEqual(32 * MiB);
    expect(synced).toBeLessThan(content.length);
    // What a cut pipeline leaves behind: holes and old bytes below the end of the file.
    const file = await open(join(folder, 'cut'), 'r+');
    await file.write(Buffer.alloc(MiB, 0xee), 0, MiB, synced);
    await file.truncate(content.length + 5);
    await file.close();
    await sshd.start();
    const first: number[] = [];
    await sendFile(options('cut', { syncedBytes: synced, onSynced: (bytes) => first.push(bytes) }));
    expect((await readFile(join(folder, 'cut'))).equals(content)).toBe(true);
    expect(first[0]).toBeGreaterThan(synced);
  });

  test('gives up a connection on which nothing comes any more, and goes on by the next', async () => {
    const line = await startProxy(sshd.port, undefined, bytesOnly);
    let synced = 0;
    const stalled = sendFile(
      options('stalled', {
        ssh: { ...sshd, port: line.port },
        stallMs: 400,
        onSynced: (bytes) => {
          synced = bytes;
          line.stall('both');
        },
      }),
    );
    await expect(stalled).rejects.toMatchObject({ type: 'ssh-failed' });
    await sendFile(options('stalled', { ssh: { ...sshd, port: line.port }, syncedBytes: synced }));
    expect((await readFile(join(folder, 'stalled'))).equals(content)).toBe(true);
    await line.close();
  });

  test('starts again when the file there is shorter than what was synced, or gone', async () => {
    await writeFile(join(folder, 'short'), Buffer.alloc(5 * MiB, 7));
    await sendFile(options('short', { syncedBytes: 33 * MiB }));
    expect((await readFile(join(folder, 'short'))).equals(content)).toBe(true);
    await rm(join(folder, 'short'));
    await sendFile(options('short', { from: small, syncedBytes: 100 }));
    expect((await stat(join(folder, 'short'))).size).toBe(1000);
  });

  test('refuses a server with another host key', async () => {
    const other = await startSshd();
    try {
      const sent = sendFile(options('other', { ssh: { ...sshd, hostKey: other.hostKey } }));
      await expect(sent).rejects.toMatchObject({ type: 'ssh-failed', message: expect.stringContaining('host key') });
    } finally {
      await other.stop();
    }
  });

  test('keeps its limit, and ends by its signal', async () => {
    const stopping = new AbortController();
    const startedAt = performance.now();
    let pieces = 0;
    const reason = new Error('enough');
    const sent = sendFile(
      options('slow', {
        limit: () => 4 * MiB,
        mayGoOn: () => {
          pieces += 1;
          if (pieces === 64) stopping.abort(reason);
          return Promise.resolve();
        },
        signal: stopping.signal,
      }),
    );
    await expect(sent).rejects.toBe(reason);
    // 64 pieces of 32 KiB at 4 MiB a second, less the burst that is allowed.
    expect(performance.now() - startedAt).toBeGreaterThan(300);
    expect((await stat(join(folder, 'slow'))).mode & 0o777).toBe(0o600);
  });

  test('names a key file that is not there', async () => {
    const sent = sendFile(options('nokey', { ssh: { ...sshd, privateKeyPath: join(folder, 'none') } }));
    await expect(sent.catch((error: unknown) => isSealiftError(error) && error.type)).resolves.toBe('ssh-failed');
  });
});
