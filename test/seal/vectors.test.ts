import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { manifest as manifestSchema } from '../../domain/manifest.ts';
import { method } from '../../domain/names.ts';
import { signedSession } from '../../domain/statement.ts';
import { canonicalJson } from '../../seal/canonical.ts';
import {
  chunkDigest,
  chunkKeys,
  decodeHeader,
  encodeHeader,
  headerBytes,
  openChunk,
  sealChunk,
} from '../../seal/chunk.ts';
import { readContainer, writeContainer } from '../../seal/container.ts';
import { decodeManifest, encodeManifest, manifestRoot } from '../../seal/manifest.ts';
import { containerKey, diskKey, manifestKey, sessionContext, streamKeys } from '../../seal/session.ts';
import { unwrapSessionKey } from '../../seal/wrap.ts';

// The vectors hold format version 1 still: they are never made again, another format gets files of its own.

const hex = z.string().transform((text) => Buffer.from(text, 'hex'));
const session = vector(
  'session.json',
  z.strictObject({
    method,
    sourceSeed: hex,
    runSecret: z.string(),
    key: hex,
    statement: signedSession,
    canonicalBody: z.string(),
    context: hex,
    subkeys: z.strictObject({ disk0: hex, disk1: hex, manifest: hex, container: hex }),
    stream: z.strictObject({ senderRandom: hex, landingRandom: hex, toLanding: hex, toSender: hex }),
  }),
);
const chunk = z.strictObject({
  flags: z.int(),
  disk: z.int(),
  index: z.int(),
  counter: z.string().transform(BigInt),
  plain: hex,
  digest: hex,
  record: hex,
});
const chunks = vector('chunks.json', z.strictObject({ zero: chunk, plain: chunk, zstd: chunk }));
const manifests = vector(
  'manifest.json',
  z.strictObject({
    manifest: manifestSchema,
    canonical: z.string(),
    root: z.string(),
    digests: z.array(hex),
    bytes: hex,
  }),
);
const containers = vector(
  'container.json',
  z.strictObject({
    method,
    context: hex,
    disks: z.array(hex),
    root: z.string(),
    fileBytes: z.int(),
    container: z.base64().transform((text) => Buffer.from(text, 'base64')),
  }),
);
const keys = { context: session.context, key: session.key };
const { body } = session.statement;

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sealift-vectors-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('the committed vectors', () => {
  test('of a statement: its text, and a signature of the host that it names', () => {
    expect(canonicalJson(body)).toBe(session.canonicalBody);
    const key = createPublicKey({
      key: { kty: 'OKP', crv: 'Ed25519', x: body.from.slice('ed25519:'.length) },
      format: 'jwk',
    });
    const signature = Buffer.from(session.statement.signature, 'base64url');
    expect(verify(null, Buffer.from(session.canonicalBody), key, signature)).toBe(true);
    const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), session.sourceSeed]);
    const secret = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
    expect(sign(null, Buffer.from(session.canonicalBody), secret).equals(signature)).toBe(true);
  });

  test('of a session: its wrapped key, its context and every subkey', async () => {
    expect((await unwrapSessionKey(body.wrapped, session.runSecret)).equals(session.key)).toBe(true);
    expect(sessionContext(body, session.method).equals(session.context)).toBe(true);
    const { senderRandom, landingRandom, ...stream } = session.stream;
    expect(streamKeys(keys, senderRandom, landingRandom)).toEqual(stream);
    expect({
      disk0: diskKey(keys, 0),
      disk1: diskKey(keys, 1),
      manifest: manifestKey(keys),
      container: containerKey(keys),
    }).toEqual(session.subkeys);
  });

  test.each(Object.entries(chunks))(
    'of a chunk: %s',
    (name, { flags, disk, index, counter, plain, digest, record }) => {
      const header = decodeHeader(record);
      expect(header).toMatchObject({ flags, disk, index, counter, plainBytes: plain.length });
      const opened = Buffer.alloc(plain.length, 0xee);
      openChunk(header, Buffer.from(record.subarray(headerBytes)), chunkKeys(keys, disk), opened);
      expect(opened.equals(plain)).toBe(true);
      expect(chunkDigest(plain).equals(digest)).toBe(true);
      // Another release of zstd may pack differently, so that record is only opened.
      if (name === 'zstd') return;
      const sealed = Buffer.alloc(headerBytes + plain.length);
      const at = { disk, index, counter };
      const own = sealChunk(plain, at, chunkKeys(keys, disk), { compress: false }, sealed.subarray(headerBytes));
      encodeHeader(own, sealed);
      expect(sealed.subarray(0, headerBytes + own.bodyBytes).equals(record)).toBe(true);
    },
  );

  test('of a manifest: its text, its root and its bytes', () => {
    expect(canonicalJson(manifests.manifest)).toBe(manifests.canonical);
    expect(manifestRoot(manifests.manifest)).toBe(manifests.root);
    const digests = manifests.digests.map((digest) => [digest]);
    expect(encodeManifest(manifests.manifest, digests).equals(manifests.bytes)).toBe(true);
    expect(decodeManifest(manifests.bytes)).toEqual({ manifest: manifests.manifest, digests: manifests.digests });
  });

  test('of a container: what is in it, and that it is written the same again', async () => {
    const path = join(folder, 'container');
    await writeFile(path, containers.container);
    const staged = { context: sessionContext(body, containers.method), key: session.key };
    expect(staged.context.equals(containers.context)).toBe(true);
    const container = await readContainer({
      path,
      expect: { lineage: body.lineage, token: body.token, number: body.number },
      authorize: () => Promise.resolve(staged),
    });
    const contents: Buffer[] = [];
    await container.unseal({ onChunk: ({ plain }) => Promise.resolve(void contents.push(Buffer.from(plain))) });
    await container.close();
    expect(contents).toEqual(containers.disks);
    expect({ root: container.root, fileBytes: container.fileBytes }).toEqual({
      root: containers.root,
      fileBytes: containers.fileBytes,
    });
    const again = join(folder, 'again');
    await writeContainer({
      path: again,
      session: container.session,
      keys: staged,
      disks: container.disks,
      read: (disk) => Promise.resolve(containers.disks[disk] ?? Buffer.alloc(0)),
      manifest: () => container.manifest,
      compress: false,
    });
    expect((await readFile(again)).equals(containers.container)).toBe(true);
  });
});

function vector<T>(name: string, schema: z.ZodType<T>): T {
  return schema.parse(JSON.parse(readFileSync(new URL(`vectors/${name}`, import.meta.url), 'utf8')));
}
