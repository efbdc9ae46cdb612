import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { generateKeyPairSync } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createIdentity, loadIdentity, verifySignature } from '../../deed/identity.ts';
import { identity as identityName } from '../../domain/names.ts';
import type { Ready } from '../../domain/statement.ts';
import { rootA } from './support.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sealift-identity-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

function bodyFrom(name: string): Ready {
  return { v: 1, lineage: '0'.repeat(32), from: name, to: name, token: 2, kind: 'ready', root: rootA };
}

test('an identity is made once, kept private, and loaded again as the same', async () => {
  const made = await createIdentity(folder);
  expect(identityName.safeParse(made.name).success).toBe(true);
  const path = join(folder, 'identity.key');
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  const before = await readFile(path);
  await expect(createIdentity(folder)).rejects.toMatchObject({ type: 'bad-usage' });
  expect(await readFile(path)).toEqual(before);
  const loaded = await loadIdentity(folder);
  expect(loaded.name).toBe(made.name);
  const body = bodyFrom(made.name);
  expect(loaded.sign(body)).toBe(made.sign(body));
});

test('two creations at once leave one identity', async () => {
  const results = await Promise.allSettled([createIdentity(folder), createIdentity(folder)]);
  const names = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value.name] : []));
  expect(names).toHaveLength(1);
  expect((await loadIdentity(folder)).name).toBe(names[0]);
});

test('an identity that others may read, that is none, or that is of another kind is refused', async () => {
  const path = join(folder, 'identity.key');
  await expect(loadIdentity(folder)).rejects.toMatchObject({ type: 'bad-config' });
  await createIdentity(folder);
  await chmod(path, 0o640);
  await expect(loadIdentity(folder)).rejects.toThrow(/may be read by others.*0640/);
  await chmod(path, 0o600);
  await writeFile(path, 'not a key of seven words');
  await expect(loadIdentity(folder)).rejects.toThrow(/not a private key/);
  await expect(loadIdentity(folder)).rejects.not.toThrow(/seven words/);
  const { privateKey } = generateKeyPairSync('x25519');
  await writeFile(path, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  await expect(loadIdentity(folder)).rejects.toThrow(/not an Ed25519 key but x25519/);
});

test('a signature holds for its signer, its body and its one spelling only', async () => {
  const host = await createIdentity(folder);
  const other = await createIdentity(join(folder, 'other'));
  const body = bodyFrom(host.name);
  const signature = host.sign(body);
  expect(verifySignature(host.name, body, signature)).toBe(true);
  expect(verifySignature(other.name, body, signature)).toBe(false);
  expect(verifySignature(host.name, { ...body, token: 3 }, signature)).toBe(false);
  expect(verifySignature(host.name, body, `${signature}==`)).toBe(false);
  expect(verifySignature(host.name, body, '')).toBe(false);
  expect(verifySignature('ed25519:short', body, signature)).toBe(false);
});
