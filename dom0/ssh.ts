import { timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Client, SFTPWrapper, ServerHostKeyAlgorithm } from 'ssh2';
import { SealiftError } from '../domain/error.ts';

/** An SSH server, its key pinned, and how to log in: by key only. */
export interface SshServer {
  address: string;
  port: number;
  user: string;
  /** The server's public key as in `ssh_host_ed25519_key.pub`: type and base64, more is ignored. */
  hostKey: string;
  privateKeyPath: string;
}

const readyMs = 20_000;
/** Questions to a server that says nothing, before it is given up. */
const keepAlives = 3;
const algorithmsOf: Record<string, ServerHostKeyAlgorithm[]> = {
  'ssh-rsa': ['rsa-sha2-512', 'rsa-sha2-256'],
};

/** Opens an SFTP session, as `openSsh`. */
export async function openSftp(
  server: SshServer,
  stallMs: number,
  onLost: (error: SealiftError) => void,
): Promise<{ client: Client; sftp: SFTPWrapper }> {
  const { promise, resolve, reject } = Promise.withResolvers<SFTPWrapper>();
  promise.catch(() => undefined);
  const client = await openSsh(server, stallMs, (error) => {
    reject(error);
    onLost(error);
  });
  client.sftp((error, sftp) => {
    if (error === undefined) resolve(sftp);
    else reject(failed(nameOf(server), `no SFTP (${error.message})`, error));
  });
  try {
    return { client, sftp: await promise };
  } catch (error) {
    client.destroy();
    throw error;
  }
}

/**
 * Logs in. A connection on which nothing has come for `stallMs` has ended; `onLost` hears of its end. Throws 'ssh-failed', also when the
 * server shows another key.
 */
export async function openSsh(
  server: SshServer,
  stallMs: number,
  onLost: (error: SealiftError) => void,
): Promise<Client> {
  const where = nameOf(server);
  const pinned = parseHostKey(server.hostKey);
  const privateKey = await readFile(server.privateKeyPath).catch((error: unknown) => {
    throw failed(where, "the private key's file cannot be read", error);
  });
  // A host worker that never needs it keeps 6 MiB.
  const { default: ssh2 } = await import('ssh2');
  const client = new ssh2.Client();
  let isOther = false;
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  const lost = (reason: string, cause?: unknown) => {
    const text = isOther ? 'it shows another host key than the pinned one' : reason;
    const error = failed(where, text, cause);
    reject(error);
    onLost(error);
  };
  client.on('ready', () => {
    // A question is a few small packets, of which none is to wait for the answer to the one before.
    client.setNoDelay(true);
    resolve(undefined);
  });
  client.on('error', (error) => {
    lost(error.message, error);
  });
  client.on('close', () => {
    lost('the connection ended');
  });
  try {
    client.connect({
      host: server.address,
      port: server.port,
      username: server.user,
      privateKey,
      authHandler: ['publickey'],
      readyTimeout: readyMs,
      keepaliveInterval: Math.ceil(stallMs / (keepAlives + 1)),
      keepaliveCountMax: keepAlives,
      algorithms: {
        serverHostKey: algorithmsOf[pinned.type] ?? [pinned.type as ServerHostKeyAlgorithm],
        cipher: ['aes256-gcm@openssh.com', 'aes128-gcm@openssh.com', 'aes256-ctr'],
      },
      hostVerifier: (key: Buffer) => {
        isOther = key.length !== pinned.key.length || !timingSafeEqual(key, pinned.key);
        return !isOther;
      },
    });
  } catch (error) {
    // A private key that does not parse; its text stays out of the message.
    lost('the private key cannot be used', error);
  }
  try {
    await promise;
    return client;
  } catch (error) {
    client.destroy();
    throw error;
  }
}

function nameOf(server: SshServer): string {
  return `${server.user}@${server.address}:${String(server.port)}`;
}

function parseHostKey(text: string): { type: string; key: Buffer } {
  const [type = '', base64 = ''] = text.trim().split(/\s+/);
  const key = Buffer.from(base64, 'base64');
  const isWhole = key.length > 4 + type.length && key.toString('latin1', 4, 4 + type.length) === type;
  if (!isWhole) throw new SealiftError('bad-config', 'a pinned SSH host key is not of the form "ssh-ed25519 AAAA…"');
  return { type, key };
}

function failed(where: string, text: string, cause: unknown): SealiftError {
  return new SealiftError('ssh-failed', `SSH to ${where}: ${text}`, { cause });
}
