import { generateX25519Identity, identityToRecipient } from 'age-encryption';

/** A run's key pair, made by the destination. The secret half never leaves it and is kept 0600 until the run ends. */
export interface RunKey {
  /** `AGE-SECRET-KEY-1…` */
  secret: string;
  /** `age1…`, the public half, which the destination signs. */
  recipient: string;
}

/** Draws a new age X25519 key pair for one run. */
export async function newRunKey(): Promise<RunKey> {
  const secret = await generateX25519Identity();
  return { secret, recipient: await identityToRecipient(secret) };
}
