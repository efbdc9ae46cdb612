import { createHash, createPublicKey, generateKeyPairSync } from 'node:crypto';

/** By which one end of one tunnel proves who it is: drawn for it, held in memory only, its public half signed by the host's identity. */
export interface TunnelKey {
  /** The 32 bytes of an Ed25519 key, in base64url. */
  publicKey: string;
  /** PKCS #8, PEM. */
  secret: string;
}

/** Draws the key of one end. */
export function newTunnelKey(): TunnelKey {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  return {
    publicKey: String(publicKey.export({ format: 'jwk' }).x),
    secret: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

/** The same public key as strongSwan reads it: SubjectPublicKeyInfo, PEM (RFC 8410). */
export function publicPem(publicKey: string): string {
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: publicKey }, format: 'jwk' });
  return key.export({ type: 'spki', format: 'pem' }).toString();
}

/** What strongSwan calls the key: SHA-1 of the public key itself (its KEYID_PUBKEY_SHA1). */
export function keyId(publicKey: string): string {
  return createHash('sha1').update(Buffer.from(publicKey, 'base64url')).digest('hex');
}
