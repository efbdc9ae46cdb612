import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { appendFile, mkdtemp, open, readFile, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import fc from 'fast-check';
import { SealiftError } from '../../domain/error.ts';
import { chunkBytes } from '../../domain/chunks.ts';
import { chunkDigest, headerBytes } from '../../seal/chunk.ts';
import { containerBytesAtMost, readContainer, writeContainer } from '../../seal/container.ts';
import type { Container, ContainerExpectation, ContainerInput } from '../../seal/container.ts';
import { encodeEnd, structureSum } from '../../seal/container-format.ts';
import { decodeManifest, manifestRoot } from '../../seal/manifest.ts';
import {
  digestsOf,
  keysOf,
  manifestOf,
  noise,
  prose,
  readerOf,
  recordByHand,
  refusal,
  sessionBody,
  shapesOf,
  signed,
} from './support.ts';

const expected: ContainerExpectation = { lineage: sessionBody.lineage, token: sessionBody.token };
/** A chunk of noise, one of zeros, an odd tail of prose; then a disk of one sector and one of a single byte. */
const disks = [Buffer.concat([noise(chunkBytes, 1), Buffer.alloc(chunkBytes), prose(1537)]), noise(512, 2), prose(1)];

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sealift-seal-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

let made = 0;
function freshPath(): string {
  made += 1;
  return join(folder, `c${String(made)}`);
}

function inputFor(contents: readonly Buffer[], change: Partial<ContainerInput> = {}): ContainerInput {
  const shapes = shapesOf(contents);
  return {
    path: freshPath(),
    session: signed(sessionBody),
    keys: keysOf(),
    disks: shapes,
    read: readerOf(contents),
    manifest: (digests) => manifestOf(shapes, digests),
    compress: true,
    ...change,
  };
}

/** A container's bytes on disk, to be changed. */
async function written(contents: readonly Buffer[], change: Partial<ContainerInput> = {}): Promise<string> {
  const input = inputFor(contents, change);
  await writeContainer(input);
  return input.path;
}

async function opened(path: string, expect: ContainerExpectation = expected): Promise<Container> {
  return readContainer({ path, expect, authorize: (session) => Promise.resolve(keysOf(session.body)) });
}

/** What all chunks of a container say, joined again; fails as reading does. */
async function contentsOf(path: string, expect?: ContainerExpectation): Promise<Buffer[]> {
  const container = await opened(path, expect);
  try {
    const contents = container.disks.map((disk) => Buffer.alloc(disk.sizeBytes, 0xee));
    await container.unseal({
      onChunk: ({ disk, index, plain }) => {
        plain.copy(contents[disk] ?? Buffer.alloc(0), index * chunkBytes);
        return Promise.resolve();
      },
    });
    return contents;
  } finally {
    await container.close();
  }
}

async function changedCopy(bytes: Buffer, change: (bytes: Buffer) => Buffer): Promise<string> {
  const path = freshPath();
  await writeFile(path, change(Buffer.from(bytes)));
  return path;
}

/** Byte by byte in one go: the matcher for equality takes minutes for a few megabytes. */
function same(some: readonly Buffer[], others: readonly Buffer[]): boolean {
  return some.length === others.length && some.every((one, place) => one.equals(others[place] ?? Buffer.alloc(0)));
}

describe('a container', () => {
  test('gives back every disk, digest and the manifest', async () => {
    const seen: string[] = [];
    const input = inputFor(disks, {
      onDigest: (disk, index, digest, zero) => seen.push([disk, index, digest.toString('hex'), zero].join(' ')),
    });
    const summary = await writeContainer(input);
    expect(same(await contentsOf(input.path), disks)).toBe(true);
    const container = await opened(input.path, { ...expected, number: 1, disks: input.disks });
    const chunks: string[] = [];
    const totals = await container.unseal({
      onChunk: ({ disk, index, plain, digest, zero }) => {
        expect(chunkDigest(plain).equals(digest)).toBe(true);
        chunks.push([disk, index, digest.toString('hex'), zero].join(' '));
        return Promise.resolve();
      },
    });
    await container.close();
    expect(chunks).toEqual(seen);
    expect(chunks).toHaveLength(5);
    expect(totals).toEqual({ plainBytes: disks.reduce((sum, disk) => sum + disk.length, 0), chunks: 5 });
    expect(container.digests).toEqual(disks.map(digestsOf));
    expect(container.root).toBe(summary.root);
    expect(container.root).toBe(manifestRoot(decodeManifest(container.manifestBytes).manifest));
    expect(container.fileBytes).toBe((await stat(input.path)).size);
    expect(summary.fileBytes).toBe(container.fileBytes);
    expect((await stat(input.path)).mode & 0o777).toBe(0o600);
  });

  test.each([1, 511, 512, chunkBytes - 1, chunkBytes, chunkBytes + 1])('holds a disk of %i bytes', async (size) => {
    for (const content of [noise(size, size), Buffer.alloc(size)]) {
      const path = await written([content], { compress: false });
      expect((await contentsOf(path))[0]?.equals(content)).toBe(true);
      const bytes = (await stat(path)).size;
      const config = manifestOf([], []).config.length;
      expect(bytes).toBeLessThanOrEqual(containerBytesAtMost([{ sizeBytes: size }], config));
      if (content[0] !== 0) expect(bytes).toBeGreaterThan(containerBytesAtMost([{ sizeBytes: size }], config) - 8192);
    }
  });

  test('passes over the chunks that are not wanted', async () => {
    const container = await opened(await written(disks));
    const got: string[] = [];
    const totals = await container.unseal({
      wanted: (disk, index) => disk === 0 && index !== 1,
      onChunk: ({ disk, index }) => Promise.resolve(void got.push(`${String(disk)}/${String(index)}`)),
    });
    await container.close();
    expect(got).toEqual(['0/0', '0/2']);
    expect(totals).toEqual({ plainBytes: chunkBytes + 1537, chunks: 2 });
  });

  test('hands over chunks in the buffers of the caller, one at a time', async () => {
    const container = await opened(await written(disks));
    const memory: Buffer[] = [];
    let busy = 0;
    await container.unseal({
      allocate: (bytes) => {
        memory.push(Buffer.from(new SharedArrayBuffer(bytes)));
        return memory.at(-1) ?? Buffer.alloc(0);
      },
      onChunk: async ({ plain }) => {
        busy += 1;
        expect(busy).toBe(1);
        expect(memory.some((own) => own.buffer === plain.buffer)).toBe(true);
        const before = chunkDigest(plain);
        await stat(folder);
        expect(chunkDigest(plain).equals(before)).toBe(true);
        busy -= 1;
      },
    });
    await container.close();
    expect(memory).toHaveLength(2);
  });

  test('tells progress of what is on the device, at the end of everything', async () => {
    const shapes = [{ vdev: 'xvda', sizeBytes: 300 * chunkBytes, sectorBytes: 512 }];
    const zeros = Buffer.alloc(chunkBytes);
    const told: number[] = [];
    const summary = await writeContainer(
      inputFor([], {
        disks: shapes,
        read: () => Promise.resolve(zeros),
        manifest: (digests) => manifestOf(shapes, digests),
        onProgress: ({ diskBytes }) => told.push(diskBytes[0] ?? 0),
      }),
    );
    expect(told).toEqual([256 * chunkBytes, 300 * chunkBytes]);
    expect(summary.fileBytes).toBeLessThan(32 * 1024);
  });
});

describe('a container is refused', () => {
  test('cut short anywhere, naming where', async () => {
    const path = await written([noise(700, 1), Buffer.alloc(512)]);
    const { size } = await stat(path);
    const bytes = await readFile(path);
    const named = new Set<string>();
    for (let length = size - 1; length >= 0; length -= 1) {
      await truncate(path, length);
      const told = await refusal(contentsOf(path));
      expect(told).toContain(`bad-container: the container is cut short at byte ${String(length)}, in `);
      named.add(told.replace(/^.* in /, ''));
    }
    expect([...named].reverse()).toEqual([
      'its head',
      'disk xvda chunk 0',
      'disk xvdb chunk 0',
      'its manifest',
      'its manifest or end record',
      'its end record',
    ]);
    expect(bytes.length).toBe(size);
  });

  test('with bytes after its end', async () => {
    const path = await written([noise(700, 1)]);
    await appendFile(path, Buffer.alloc(48));
    expect(await refusal(opened(path))).toBe('bad-container: the container has 48 trailing bytes');
  });

  test('with a bit flipped in any byte of its structure or in its content, before a wrong byte is handed over', async () => {
    const path = await written([noise(700, 1), Buffer.alloc(512)]);
    const bytes = await readFile(path);
    const start = 12 + bytes.readUInt32BE(8);
    const second = start + headerBytes + 700;
    // Two disks' headers, the manifest's, and the end record; of the rest, which one rule covers, every eighth byte.
    const structure = [start, second, second + headerBytes, bytes.length - 88, bytes.length - 40];
    const file = await open(path, 'r+');
    for (let at = 0; at < bytes.length; at += 1) {
      if (at % 8 !== 0 && !structure.some((from) => at >= from && at < from + headerBytes)) continue;
      await file.write(Buffer.from([(bytes[at] ?? 0) ^ (1 << ((at >> 3) % 8))]), 0, 1, at);
      expect(await refusal(contentsOf(path))).toMatch(/^bad-container: /);
      await file.write(bytes, at, 1, at);
    }
    await file.close();
    expect(await refusal(contentsOf(path))).toBe('nothing');
  });

  test('with a changed body, naming disk and chunk, after the chunks before it', async () => {
    const bytes = await readFile(await written(disks));
    const headLength = 12 + bytes.readUInt32BE(8);
    const tailBody = headLength + 3 * headerBytes + chunkBytes + 5;
    const path = await changedCopy(bytes, (copy) => {
      copy[tailBody] = (copy[tailBody] ?? 0) ^ 1;
      return copy;
    });
    const container = await opened(path);
    const got: number[] = [];
    const told = await refusal(container.unseal({ onChunk: ({ index }) => Promise.resolve(void got.push(index)) }));
    await container.close();
    expect(told).toMatch(/^bad-container: the container has a changed record at byte \d+, disk xvda chunk 2$/);
    expect(got).toEqual([0, 1]);
  });

  test('with a changed header, naming disk and chunk, before any chunk', async () => {
    const bytes = await readFile(await written(disks));
    const headLength = 12 + bytes.readUInt32BE(8);
    const secondTag = headLength + headerBytes + chunkBytes + 40;
    const path = await changedCopy(bytes, (copy) => {
      copy[secondTag] = (copy[secondTag] ?? 0) ^ 1;
      return copy;
    });
    expect(await refusal(opened(path))).toMatch(/has a changed record at byte \d+, disk xvda chunk 1$/);
  });

  test('with two records changed over, left out or doubled', async () => {
    const contents = [noise(512, 1), noise(512, 2)];
    const bytes = await readFile(await written(contents));
    const start = 12 + bytes.readUInt32BE(8);
    const length = headerBytes + 512;
    const [a, b] = [bytes.subarray(start, start + length), bytes.subarray(start + length, start + 2 * length)];
    const [head, rest] = [bytes.subarray(0, start), bytes.subarray(start + 2 * length)];
    for (const records of [[b, a], [a], [b], [a, a], [a, a, b], []]) {
      const path = await changedCopy(bytes, () => Buffer.concat([head, ...records, rest]));
      expect(await refusal(contentsOf(path))).toMatch(/is changed at byte \d+, in or before the record of /);
    }
  });

  test('with a record, or the end, of another session of the same run', async () => {
    const content = noise(512, 1);
    const later = { ...sessionBody, number: 2 };
    const first = await readFile(await written([content]));
    const second = await readFile(await written([content], { session: signed(later), keys: keysOf(later) }));
    const start = 12 + first.readUInt32BE(8);
    expect(12 + second.readUInt32BE(8)).toBe(start);
    const length = headerBytes + 512;
    const record = await changedCopy(first, (copy) => {
      second.copy(copy, start, start, start + length);
      return copy;
    });
    expect(await refusal(contentsOf(record))).toContain('has a changed record');
    const head = await changedCopy(first, (copy) => {
      second.copy(copy, 0, 0, start);
      return copy;
    });
    expect(await refusal(contentsOf(head))).toContain('end record that does not verify under its session');
  });

  test('of another VM, run, session or other disks, naming both', async () => {
    const path = await written([noise(512, 1)]);
    const other = { ...expected, lineage: 'f'.repeat(32) };
    expect(await refusal(opened(path, other))).toContain('of another vm');
    expect(await refusal(opened(path, { ...expected, token: 4 }))).toBe(
      'bad-container: the container is of another run: token 2, not 4',
    );
    expect(await refusal(opened(path, { ...expected, number: 3 }))).toBe(
      'bad-container: the container is of another session: number 1, not 3',
    );
    expect(await refusal(opened(path, { ...expected, disks: shapesOf([noise(513, 1)]) }))).toContain('other disks');
  });

  test('when its session is not authorized, with the reason that was given', async () => {
    const path = await written([noise(512, 1)]);
    const authorize = () => Promise.reject(new SealiftError('stale-session', 'session 1 is closed by session 2'));
    expect(await refusal(readContainer({ path, expect: expected, authorize }))).toMatch(/^stale-session: /);
  });

  test('when its manifest is not of its session or its disks', async () => {
    const contents = [noise(512, 1)];
    const shapes = shapesOf(contents);
    const other = await written(contents, { manifest: (digests) => ({ ...manifestOf(shapes, digests), token: 9 }) });
    expect(await refusal(opened(other))).toContain('manifest of another run');
    const renamed = shapes.map((shape) => ({ ...shape, vdev: 'xvdq' }));
    const disk = await written(contents, { manifest: (digests) => manifestOf(renamed, digests) });
    expect(await refusal(opened(disk))).toContain('or other disks');
  });

  test('when a chunk verifies but is not the one that its manifest names', async () => {
    const bytes = await readFile(await written([noise(512, 1)], { compress: false }));
    const start = 12 + bytes.readUInt32BE(8);
    const fields = { flags: 0, disk: 0, index: 0, plainBytes: 512, counter: 1n };
    const head = bytes.subarray(0, start);
    const record = recordByHand(fields, noise(512, 2), keysOf());
    const manifest = bytes.subarray(start + record.length, -88);
    const digest = structureSum()
      .update(head)
      .update(record.subarray(0, headerBytes))
      .update(manifest.subarray(0, headerBytes))
      .digest();
    const end = encodeEnd({ records: 2, endsAt: bytes.length - 88, digest }, keysOf());
    const path = await changedCopy(bytes, () => Buffer.concat([head, record, manifest, end]));
    expect(await refusal(contentsOf(path))).toBe(
      'bad-container: the container has a record of disk xvda chunk 0 that its manifest does not name',
    );
  });

  test('when it is not there, or not a container, with nothing but a SealiftError', async () => {
    expect(await refusal(opened(join(folder, 'missing')))).toBe('bad-container: the container cannot be opened');
    expect(await refusal(opened(folder))).toMatch(/^disk-io: /);
    const path = freshPath();
    const head = Buffer.from('534c533101000000', 'hex');
    const framed = fc.tuple(fc.nat(400), fc.jsonValue()).map(([length, value]) => {
      const size = Buffer.alloc(4);
      size.writeUInt32BE(length);
      return Buffer.concat([head, size, Buffer.from(JSON.stringify(value))]);
    });
    const anything = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
    await fc.assert(
      fc.asyncProperty(fc.oneof(anything, framed), async (bytes) => {
        await writeFile(path, bytes);
        expect(await refusal(contentsOf(path))).toMatch(/^bad-container: /);
      }),
    );
  });
});

describe('a sealer', () => {
  test('that fails or is stopped leaves nothing, and the reason comes through', async () => {
    const input = inputFor(disks);
    const failing = (disk: number, index: number) =>
      disk === 1 ? Promise.reject(new SealiftError('disk-io', 'sector 7 is bad')) : input.read(disk, index);
    expect(await refusal(writeContainer({ ...input, read: failing }))).toBe('disk-io: sector 7 is bad');
    const short = () => Promise.resolve(Buffer.alloc(100));
    expect(await refusal(writeContainer({ ...input, read: short }))).toMatch(/^disk-changed: /);
    const signal = AbortSignal.abort(new SealiftError('cancelled', 'aborted by a person'));
    expect(await refusal(writeContainer({ ...input, signal }))).toMatch(/^cancelled: /);
    const left = (await readdir(folder)).filter((name) => join(folder, name).startsWith(input.path));
    expect(left).toEqual([]);
  });

  test("takes the place of an older session's container only when the new one is whole", async () => {
    const path = await written([noise(512, 1)]);
    const before = await readFile(path);
    const later = { ...sessionBody, number: 2 };
    const input = inputFor([noise(512, 2)], { path, session: signed(later), keys: keysOf(later) });
    const read = () => Promise.reject(new SealiftError('disk-io', 'sector 7 is bad'));
    expect(await refusal(writeContainer({ ...input, read }))).toBe('disk-io: sector 7 is bad');
    expect((await readFile(path)).equals(before)).toBe(true);
    await writeContainer(input);
    expect(same(await contentsOf(path, { ...expected, number: 2 }), [noise(512, 2)])).toBe(true);
  });

  test('says when there is no folder for it', async () => {
    const path = join(folder, 'missing', 'c');
    expect(await refusal(writeContainer(inputFor(disks, { path })))).toBe(
      'disk-io: making a container failed (ENOENT)',
    );
  });

  test('killed in the middle leaves no container, and the next session writes a whole one', async () => {
    const input = inputFor([noise(3 * chunkBytes, 5)]);
    const script = fileURLToPath(new URL('sealer-that-hangs.ts', import.meta.url));
    const child = execa(process.execPath, [script, input.path], { reject: false, stdout: 'pipe', stderr: 'inherit' });
    for await (const line of child) {
      expect(line).toBe('chunk 2 is being read');
      child.kill('SIGKILL');
    }
    expect((await child).signal).toBe('SIGKILL');
    expect((await stat(`${input.path}.part`)).size).toBeGreaterThan(0);
    expect(await refusal(opened(input.path))).toContain('cannot be opened');
    const later = { ...sessionBody, number: 2 };
    await writeContainer({ ...input, session: signed(later), keys: keysOf(later) });
    expect((await contentsOf(input.path, { ...expected, number: 2 }))[0]?.equals(noise(3 * chunkBytes, 5))).toBe(true);
    await expect(stat(`${input.path}.part`)).rejects.toThrow('ENOENT');
  });
});

describe('a reader', () => {
  test('passes the failure of the one that takes the chunks on, and stops', async () => {
    const container = await opened(await written(disks));
    let calls = 0;
    const onChunk = () => {
      calls += 1;
      return Promise.reject(new SealiftError('disk-full', 'the pool is full'));
    };
    expect(await refusal(container.unseal({ onChunk }))).toBe('disk-full: the pool is full');
    expect(calls).toBe(1);
    const signal = AbortSignal.abort(new SealiftError('cancelled', 'aborted by a person'));
    const options = { onChunk: () => Promise.resolve(), signal };
    expect(await refusal(container.unseal(options))).toMatch(/^cancelled: /);
    await container.close();
  });
});
