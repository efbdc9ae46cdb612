import { createHash, hkdfSync, randomBytes } from 'node:crypto';
import { Decrypter, Encrypter } from 'age-encryption';
import { SealiftError } from '../domain/error.ts';
import type { Method } from '../domain/names.ts';
import type { Session } from '../domain/statement.ts';
import { canonicalBytes } from './canonical.ts';

const keyBytes = 32;
/** The age file of a 32-byte key to one X25519 recipient has about 230 bytes; the statement's schema allows 2048 in base64. */
const maximumWrappedLength = 2048;

/** What both ends of a session hold. */
export interface SessionKeys {
  /** 32 bytes that name the session; the associated data of every record starts with them. */
  context: Buffer;
  /** The session's key, 32 bytes; only subkeys of it ever encrypt. */
  key: Buffer;
}

/** Draws the key of a new session. */
export function newSessionKey(): Buffer {
  return randomBytes(keyBytes);
}

/** Wraps a session's key to the run's key: an age file in base64. */
export async function wrapSessionKey(key: Buffer, recipient: string): Promise<string> {
  const encrypter = new Encrypter();
  encrypter.addRecipient(recipient);
  return Buffer.from(await encrypter.encrypt(new Uint8Array(key))).toString('base64');
}

/** Unwraps a session's key with the run's secret. Throws 'tag-mismatch' when it is wrapped to another key, or changed. */
export async function unwrapSessionKey(wrapped: string, secret: string): Promise<Buffer> {
  const key = wrapped.length > maximumWrappedLength ? null : await unwrapped(wrapped, secret);
  if (key?.length !== keyBytes)
    throw new SealiftError('tag-mismatch', "the session's key does not unwrap with the run's key");
  return key;
}

/** The cause stays out of the error: nothing that age says of a secret may reach a log. */
async function unwrapped(wrapped: string, secret: string): Promise<Buffer | null> {
  try {
    const decrypter = new Decrypter();
    decrypter.addIdentity(secret);
    return Buffer.from(await decrypter.decrypt(new Uint8Array(Buffer.from(wrapped, 'base64'))));
  } catch {
    return null;
  }
}

/**
 * Names a session in 32 bytes: format version, VM lineage, run token, both identities, session number, the run's key
 * and the method. A record sealed under another of any of these does not verify.
 */
export function sessionContext(body: Session, method: Method): Buffer {
  const { lineage, token, from, to, number, recipient } = body;
  return createHash('sha256')
    .update('sealift/1 session\n')
    .update(canonicalBytes({ lineage, token, from, to, number, recipient, method }))
    .digest();
}

/** The subkey that seals the chunks of disk `disk` (its place in the manifest, from 0). */
export function diskKey(keys: SessionKeys, disk: number): Buffer {
  return subkey(keys, `disk ${String(disk)}`, keyBytes);
}

/** The subkey that seals the manifest. */
export function manifestKey(keys: SessionKeys): Buffer {
  return subkey(keys, 'manifest', keyBytes);
}

/** The subkey that authenticates a container's end record. */
export function containerKey(keys: SessionKeys): Buffer {
  return subkey(keys, 'container', keyBytes);
}

/**
 * The two keys of one data connection's control frames, a key per direction. `senderRandom` and `landingRandom` are 32
 * bytes that each end drew for this connection, so that no frame of another connection of the session verifies.
 */
export function streamKeys(
  keys: SessionKeys,
  senderRandom: Buffer,
  landingRandom: Buffer,
): { toLanding: Buffer; toSender: Buffer } {
  if (senderRandom.length !== keyBytes || landingRandom.length !== keyBytes) {
    throw new SealiftError('bad-frame', 'a connection needs 32 random bytes of each end');
  }
  const name = `stream ${senderRandom.toString('hex')} ${landingRandom.toString('hex')}`;
  const both = subkey(keys, name, 2 * keyBytes);
  return { toLanding: both.subarray(0, keyBytes), toSender: both.subarray(keyBytes) };
}

function subkey(keys: SessionKeys, name: string, bytes: number): Buffer {
  return Buffer.from(hkdfSync('sha256', keys.key, keys.context, `sealift/1 ${name}`, bytes));
}
