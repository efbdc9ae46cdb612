import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { link, mkdir, readFile, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { here } from '../dom0/local.ts';
import { errorCode } from '../dom0/system-errors.ts';
import { SealiftError } from '../domain/error.ts';
import { identity as identityName } from '../domain/names.ts';
import type { Question, QuestionKey } from '../domain/question.ts';
import type { ReceiptBody } from '../domain/receipt.ts';
import type { StatementBody } from '../domain/statement.ts';
import { canonicalJson } from '../seal/canonical.ts';
import { syncFolder, writeFileDurably } from '../storage/durable-file.ts';

/** The Ed25519 key pair of a host, or of an operator: whoever can `sign` is the one of that `name`. */
export interface Identity {
  /** `ed25519:` and the public key in base64url; its own fingerprint. */
  readonly name: string;
  /** The Ed25519 signature over the canonical JSON of `body`, in base64url. */
  sign(body: SignedBody): string;
}

/** Everything that hosts sign; `kind` tells statements and questions apart, and a receipt has none. */
type SignedBody = StatementBody | ReceiptBody | QuestionKey | Question;

const fileName = 'identity.key';

/**
 * Draws a new identity and keeps it as `identity.key` (PKCS #8 PEM, mode 0600) in `folder`, which is made when it is not there.
 * Throws 'bad-usage' when the folder has one already: an identity is never overwritten, since peers have pinned it.
 */
export async function createIdentity(folder: string, of: 'host' | 'operator' = 'host'): Promise<Identity> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const { privateKey } = generateKeyPairSync('ed25519');
  const path = join(folder, fileName);
  const unfinished = `${path}.${randomBytes(4).toString('hex')}`;
  await writeFileDurably(here, unfinished, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), 0o600);
  try {
    // link(2) refuses an existing name, which rename(2) would replace
    await link(unfinished, path);
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
    throw new SealiftError('bad-usage', `the ${of} already has an identity: ${path}`);
  } finally {
    await unlink(unfinished);
  }
  await syncFolder(here, folder);
  return identityOf(privateKey);
}

/** Reads the identity of `folder`. Throws 'bad-config' when it is not there, not an Ed25519 key, or readable by others. */
export async function loadIdentity(folder: string, of: 'host' | 'operator' = 'host'): Promise<Identity> {
  const path = join(folder, fileName);
  const mode = await stat(path).then(
    (found) => found.mode,
    (error: unknown) => {
      throw new SealiftError('bad-config', `no identity at ${path}`, {
        hint: `make one: sealift ${of} init`,
        cause: error,
      });
    },
  );
  if ((mode & 0o077) !== 0) {
    throw new SealiftError('bad-config', `the identity may be read by others: ${path} has mode ${octal(mode)}`, {
      hint: `chmod 600 ${path}`,
    });
  }
  return identityOf(parseKey(await readFile(path, 'utf8'), path));
}

/**
 * Ties the identity of `folder` to the state that it serves, by the state's `instance`, written into its file. Throws 'copied-host'
 * when it has served another: what it signed and accepted stands in that one's records, and without them it would do so twice.
 */
export async function tieIdentity(folder: string, instance: string): Promise<void> {
  const path = join(folder, fileName);
  const text = await readFile(path, 'utf8');
  const served = tiePattern.exec(text)?.[1];
  if (served === instance) return;
  if (served === undefined) return writeFileDurably(here, path, `state: ${instance}\n${text}`, 0o600);
  throw new SealiftError('copied-host', `the identity ${path} belongs to another state than the database beside it`, {
    hint: 'an identity goes nowhere without its database: put back the one that was drawn here, or run sealift host init in a fresh folder',
  });
}

/** Stands before the key, where PEM allows any text. */
const tiePattern = /^state: ([0-9a-f-]{36})\n/;

/** Whether `signature` (base64url) is that of the host named `identity` over `body`. False for anything malformed. */
export function verifySignature(identity: string, body: SignedBody, signature: string): boolean {
  if (!identityName.safeParse(identity).success) return false;
  const bytes = Buffer.from(signature, 'base64url');
  // Buffer.from takes other spellings of the same bytes (padding, '+' for '-', stray bits): one statement, one signature
  if (bytes.length !== 64 || bytes.toString('base64url') !== signature) return false;
  try {
    const key = createPublicKey({
      key: { kty: 'OKP', crv: 'Ed25519', x: identity.slice('ed25519:'.length) },
      format: 'jwk',
    });
    return verify(null, Buffer.from(canonicalJson(body)), key, bytes);
  } catch {
    return false;
  }
}

function identityOf(privateKey: KeyObject): Identity {
  const { x } = createPublicKey(privateKey).export({ format: 'jwk' });
  const name = `ed25519:${String(x)}`;
  return { name, sign: (body) => sign(null, Buffer.from(canonicalJson(body)), privateKey).toString('base64url') };
}

function parseKey(pem: string, path: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    // the cause is left out: it may quote the file
    throw new SealiftError('bad-config', `not a private key: ${path}`);
  }
  if (key.asymmetricKeyType !== 'ed25519') {
    throw new SealiftError('bad-config', `not an Ed25519 key but ${String(key.asymmetricKeyType)}: ${path}`);
  }
  return key;
}

function octal(mode: number): string {
  return `0${(mode & 0o7777).toString(8)}`;
}
