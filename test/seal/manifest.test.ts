import { describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { chunkBytes } from '../../domain/chunks.ts';
import type { Manifest } from '../../domain/manifest.ts';
import { canonicalBytes } from '../../seal/canonical.ts';
import { headerBytes, manifestDisk } from '../../seal/chunk.ts';
import {
  decodeManifest,
  diskDigest,
  encodeManifest,
  manifestRoot,
  openManifest,
  sealManifest,
} from '../../seal/manifest.ts';
import { digestsOf, keysOf, manifestOf, noise, recordByHand, sessionBody, shapesOf, typeThrown } from './support.ts';

const disks = [noise(2 * chunkBytes + 512, 1), Buffer.alloc(1000)];
const digests = disks.map(digestsOf);
const keys = keysOf();

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function sample(change: Partial<Manifest> = {}): Manifest {
  return { ...manifestOf(shapesOf(disks), digests.map(sha256)), ...change };
}

function encoded(manifest = sample()): Buffer {
  return encodeManifest(
    manifest,
    digests.map((all) => [all]),
  );
}

/** Records of a manifest that takes three pieces. */
function sealedPieces(): { bytes: Buffer; records: Buffer[] } {
  const bytes = noise(2 * chunkBytes + 10, 2);
  let counter = 0n;
  return { bytes, records: [...sealManifest(bytes, keys, () => (counter += 1n))] };
}

describe('a manifest', () => {
  test('comes back with its digests, whatever pieces they are given in', () => {
    const single = digests.map((all) =>
      Array.from({ length: all.length / 32 }, (_, at) => all.subarray(at * 32, at * 32 + 32)),
    );
    expect(encodeManifest(sample(), single).equals(encoded())).toBe(true);
    const whole = decodeManifest(encoded());
    expect(whole.manifest).toEqual(sample());
    expect(whole.digests).toEqual(digests);
  });

  test('adds a disk up from its chunk digests in order', () => {
    const sum = diskDigest();
    const [first = Buffer.alloc(0)] = digests;
    for (let at = 0; at < first.length; at += 32) sum.add(first.subarray(at, at + 32));
    expect(sum.end()).toBe(sha256(first));
  });

  test('has another root for another anything', () => {
    const [disk] = sample().disks;
    if (disk === undefined) throw new Error('the sample has disks');
    const others: Manifest[] = [
      sample(),
      sample({ token: 3 }),
      sample({ lineage: 'f'.repeat(32) }),
      sample({ config: 'name = "web-2"\n' }),
      sample({ vmName: 'web-2' }),
      sample({ autostart: true }),
      sample({ disks: [disk] }),
      sample({ disks: sample().disks.toReversed() }),
      ...[{ digest: '0'.repeat(64) }, { sizeBytes: disk.sizeBytes + 1 }, { vdev: 'xvdq' }, { sectorBytes: 4096 }].map(
        (change) => sample({ disks: [{ ...disk, ...change }, ...sample().disks.slice(1)] }),
      ),
    ];
    expect(new Set(others.map(manifestRoot)).size).toBe(others.length);
  });

  test('is not written with digests that are not its own', () => {
    const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = digests;
    for (const wrong of [
      [[second], [first]],
      [[first]],
      [[first, first], [second]],
      [[first.subarray(32)], [second]],
      [[Buffer.alloc(first.length)], [second]],
    ]) {
      expect(typeThrown(() => encodeManifest(sample(), wrong))).toBe('manifest-mismatch');
    }
  });

  test('is not written in a form that cannot be read', () => {
    const [disk] = sample().disks;
    if (disk === undefined) throw new Error('the sample has disks');
    expect(typeThrown(() => encoded(sample({ disks: [disk, disk] })))).toBe('bad-frame');
    expect(typeThrown(() => encoded(sample({ vmUuid: sample().vmUuid.toUpperCase() })))).toBe('bad-frame');
    expect(typeThrown(() => encoded(sample({ vmName: '-rf' })))).toBe('bad-frame');
    expect(typeThrown(() => encoded(sample({ config: '\ud800' })))).toBe('internal');
  });

  test('is refused with any one byte changed, cut or added', () => {
    const bytes = encoded();
    const outcomes = new Set<string>();
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 0x01;
      outcomes.add(`changed: ${outcomeOf(changed)}`);
      outcomes.add(`cut: ${typeThrown(() => decodeManifest(bytes.subarray(0, at)))}`);
    }
    outcomes.add(`added: ${typeThrown(() => decodeManifest(Buffer.concat([bytes, Buffer.alloc(32)])))}`);
    expect([...outcomes].sort()).toEqual(
      [
        'added: bad-frame',
        'changed: bad-frame',
        'changed: manifest-mismatch',
        'changed: other root',
        'cut: bad-frame',
      ].sort(),
    );
  });

  test('is read in its one form only', () => {
    const { disks: own, ...rest } = sample();
    const loose = Buffer.from(JSON.stringify({ disks: own, ...rest }));
    const text = canonicalBytes(sample());
    expect(loose.length).toBe(text.length);
    const bytes = encoded();
    loose.copy(bytes, 4);
    expect(typeThrown(() => decodeManifest(bytes))).toBe('bad-frame');
  });

  test('gives nothing but a SealiftError for any bytes', () => {
    const text = (value: unknown) => {
      const json = Buffer.from(JSON.stringify(value));
      const length = Buffer.alloc(4);
      length.writeUInt32BE(json.length);
      return Buffer.concat([length, json]);
    };
    const anything = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(fc.oneof(anything, fc.jsonValue().map(text)), (bytes) => {
        typeThrown(() => decodeManifest(bytes));
      }),
    );
  });
});

describe('a sealed manifest', () => {
  test('comes back from its pieces', () => {
    const { bytes, records } = sealedPieces();
    expect(records).toHaveLength(3);
    expect(openManifest(records, keys).equals(bytes)).toBe(true);
    expect(
      decodeManifest(
        openManifest(
          sealManifest(encoded(), keys, () => 1n),
          keys,
        ),
      ).manifest,
    ).toEqual(sample());
  });

  test('is refused in another order, twice, or without its first piece; without its last it is no manifest', () => {
    const { bytes, records } = sealedPieces();
    const [a, b, c] = records.map((record) => Buffer.from(record));
    if (a === undefined || b === undefined || c === undefined) throw new Error('three pieces');
    for (const wrong of [
      [b, a, c],
      [a, a, b, c],
      [b, c],
      [a, c],
    ]) {
      expect(
        typeThrown(() =>
          openManifest(
            wrong.map((record) => Buffer.from(record)),
            keys,
          ),
        ),
      ).toBe('bad-frame');
    }
    expect(openManifest([a, b], keys).length).toBeLessThan(bytes.length);
    expect(typeThrown(() => decodeManifest(openManifest([], keys)))).toBe('bad-frame');
  });

  test("is refused under another session, and a disk's chunk is never taken for a piece of it", () => {
    const bytes = encoded();
    const [record = Buffer.alloc(0)] = sealManifest(bytes, keys, () => 1n);
    const older = keysOf({ ...sessionBody, number: 2 });
    expect(typeThrown(() => openManifest([Buffer.from(record)], older))).toBe('tag-mismatch');
    const fields = { flags: 0, index: 0, plainBytes: bytes.length, counter: 1n };
    expect(recordByHand({ ...fields, disk: manifestDisk }, bytes, keys).equals(record)).toBe(true);
    const chunk = recordByHand({ ...fields, disk: 0 }, bytes, keys);
    expect(typeThrown(() => openManifest([Buffer.from(chunk)], keys))).toBe('bad-frame');
    chunk.writeUInt16BE(manifestDisk, 6);
    expect(typeThrown(() => openManifest([chunk], keys))).toBe('tag-mismatch');
    expect(typeThrown(() => openManifest([record.subarray(0, headerBytes + 5)], keys))).toBe('bad-frame');
  });
});

/** A changed text may be a sound manifest: then it has another root, and READY's comparison catches it. */
function outcomeOf(bytes: Buffer): string {
  let root = '';
  const type = typeThrown(() => {
    root = manifestRoot(decodeManifest(bytes).manifest);
  });
  return type === 'nothing' && root !== manifestRoot(sample()) ? 'other root' : type;
}
