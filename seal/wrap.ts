import { Decrypter, Encrypter } from 'age-encryption';
import { SealiftError } from '../domain/error.ts';
import { keyBytes } from './session.ts';

/** The age file of a 32-byte key to one X25519 recipient has about 230 bytes; the statement's schema allows 2048 in base64. */
const maximumWrappedLength = 2048;

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
