import { createHash, hkdfSync, randomBytes } from 'node:crypto';
import { SealiftError } from '../domain/error.ts';
import type { Method } from '../domain/names.ts';
import type { Session } from '../domain/statement.ts';
import { canonicalBytes } from './canonical.ts';

/** The length of a session's key. */
export const keyBytes = 32;

/** What both ends of a session hold. */
export interface SessionKeys {
  /** 32 bytes that name the session; the associated data of every record starts with them. */
  context: Buffer;
  /** The session's key, 32 bytes; only subkeys of it ever encrypt. */
  key: Buffer;
  /** Chunks are tagged and not encrypted: something else encrypts the stream that they cross in. Default false. */
  clear?: boolean | undefined;
}

/** Draws the key of a new session. */
export function newSessionKey(): Buffer {
  return randomBytes(keyBytes);
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

/** The keys of a session of a run by `method`, as both ends make them of the session's key. */
export function sessionKeys(key: Buffer, body: Session, method: Method): SessionKeys {
  return { key, context: sessionContext(body, method), clear: method === 'tunnel' };
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
