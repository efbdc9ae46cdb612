import { createCipheriv, createHash, hkdfSync } from 'node:crypto';
import { SealiftError } from '../../domain/error.ts';
import type { ErrorType } from '../../domain/error-types.ts';
import { chunkBytes, chunkCount, chunkLength } from '../../domain/chunks.ts';
import type { DiskShape, Manifest } from '../../domain/manifest.ts';
import type { Session, Signed } from '../../domain/statement.ts';
import { sessionContext } from '../../seal/session.ts';
import type { SessionKeys } from '../../seal/session.ts';

export const sessionBody: Session = {
  v: 1,
  kind: 'session',
  lineage: '00112233445566778899aabbccddeeff',
  from: `ed25519:${'A'.repeat(43)}`,
  to: `ed25519:${'B'.repeat(43)}`,
  token: 2,
  number: 1,
  recipient: `age1${'q'.repeat(58)}`,
  wrapped: Buffer.from('not an age file').toString('base64'),
};

/** A statement as it would be signed; who checks signatures is not part of the seal. */
export function signed(body: Session): Signed<Session> {
  return { body, signature: 'S'.repeat(86) };
}

export function keysOf(body: Session = sessionBody): SessionKeys {
  return { context: sessionContext(body, 'staged'), key: Buffer.alloc(32, body.number) };
}

/** The same bytes for the same seed, as little compressible as random ones. */
export function noise(bytes: number, seed: number): Buffer {
  const key = createHash('sha256')
    .update(`noise ${String(seed)}`)
    .digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(bytes));
}

/** Compressible, and not zeros. */
export function prose(bytes: number): Buffer {
  return Buffer.alloc(bytes, 'the quick brown fox jumps over the lazy dog. ');
}

/** A plain disk in memory as a source of chunks; like a device's reader it hands out one buffer again and again. */
export function readerOf(disks: readonly Buffer[]): (disk: number, index: number) => Promise<Buffer> {
  const buffer = Buffer.alloc(chunkBytes);
  return (disk, index) => {
    const content = disks[disk] ?? Buffer.alloc(0);
    buffer.fill(0xee);
    const bytes = content.copy(buffer, 0, index * chunkBytes, (index + 1) * chunkBytes);
    return Promise.resolve(buffer.subarray(0, bytes));
  };
}

export function shapesOf(disks: readonly Buffer[]): DiskShape[] {
  return disks.map((disk, place) => ({
    vdev: `xvd${'abcdef'[place] ?? 'z'}`,
    sizeBytes: disk.length,
    sectorBytes: 512,
  }));
}

export function manifestOf(
  disks: readonly DiskShape[],
  digests: readonly string[],
  config = 'name = "web-1"\n',
): Manifest {
  return {
    lineage: sessionBody.lineage,
    token: sessionBody.token,
    vmUuid: 'b0a1c2d3-1111-4222-8333-444455556666',
    vmName: 'web-1',
    config,
    autostart: false,
    disks: disks.map((disk, place) => ({ ...disk, digest: digests[place] ?? '' })),
  };
}

/** Chunk digests of a disk, one after the other. */
export function digestsOf(disk: Buffer): Buffer {
  return Buffer.concat(
    Array.from({ length: chunkCount(disk.length) }, (_, index) => {
      const start = index * chunkBytes;
      return createHash('sha256')
        .update(disk.subarray(start, start + chunkLength(disk.length, index)))
        .digest();
    }),
  );
}

/** A record made by docs/format.md alone, with whatever its author likes in it: none of the seal's code takes part. */
export function recordByHand(
  fields: { flags: number; disk: number; index: number; plainBytes: number; counter: bigint },
  content: Buffer,
  keys: SessionKeys,
): Buffer {
  const header = Buffer.alloc(32);
  header.write('SLC1', 'latin1');
  header[4] = 1;
  header[5] = fields.flags;
  header.writeUInt16BE(fields.disk, 6);
  header.writeUInt32BE(fields.index, 8);
  header.writeUInt32BE(fields.plainBytes, 12);
  header.writeUInt32BE(content.length, 16);
  header.writeBigUInt64BE(fields.counter, 24);
  const name = fields.disk === 0xffff ? 'manifest' : `disk ${String(fields.disk)}`;
  const key = Buffer.from(hkdfSync('sha256', keys.key, keys.context, `sealift/1 ${name}`, 32));
  const nonce = Buffer.concat([Buffer.alloc(4), header.subarray(24)]);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  const inClear = (fields.flags & 4) !== 0;
  cipher.setAAD(Buffer.concat([keys.context, header, inClear ? content : Buffer.alloc(0)]));
  const body = inClear ? content : Buffer.concat([cipher.update(content), cipher.final()]);
  if (inClear) cipher.final();
  return Buffer.concat([header, cipher.getAuthTag(), body]);
}

/** The type of the SealiftError that `act` throws, 'nothing' when it throws none; any other error fails the test. */
export function typeThrown(act: () => unknown): ErrorType | 'nothing' {
  try {
    act();
    return 'nothing';
  } catch (error) {
    if (error instanceof SealiftError) return error.type;
    throw error;
  }
}

/** The same for a promise, with the message. */
export async function refusal(act: Promise<unknown>): Promise<string> {
  try {
    await act;
    return 'nothing';
  } catch (error) {
    if (error instanceof SealiftError) return `${error.type}: ${error.message}`;
    throw error;
  }
}
