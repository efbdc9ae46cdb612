import { mkdir, readFile, rm, stat, statfs, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import fc from 'fast-check';
import { dom0 } from '../../dom0/dom0.ts';
import { alignedBuffer, alignedShared } from '../../storage/aligned.ts';
import { diskShapeOf, openDisk } from '../../storage/disk.ts';
import type { Disk } from '../../storage/disk.ts';
import { atEnd, attachLoop, canMount, makeFolder, mountAt, needsRoot } from './support.ts';

const rootTest = canMount ? test : test.skip;
const room = alignedBuffer(1 << 20);
const tmpfsMagic = 0x01021994;
/** Where the temporary folder is a tmpfs, nothing in it is direct. */
const direct = (await statfs(tmpdir())).type !== tmpfsMagic;
const directTest = direct ? test : test.skip;

async function openToEnd(...args: Parameters<typeof openDisk>): Promise<Disk> {
  const disk = await openDisk(...args);
  atEnd(() => disk.close());
  return disk;
}

/** A file of `bytes` bytes that differ from page to page and within a page. */
async function makeFile(folder: string, bytes: number): Promise<{ path: string; content: Buffer }> {
  const content = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; at += 1) content[at] = (at * 7 + (at >> 12)) & 0xff;
  const path = join(folder, 'disk.raw');
  await writeFile(path, content);
  return { path, content };
}

/** Reads the whole disk as the transport does. */
async function readAll(disk: Disk): Promise<Buffer> {
  await disk.read(room, 0, disk.sizeBytes);
  return Buffer.from(room.subarray(0, disk.sizeBytes));
}

function expectSame(found: Buffer, expected: Buffer): void {
  // Jest compares buffers byte by byte, slowly.
  if (!found.equals(expected)) expect(found).toEqual(expected);
}

/** What lies on the device, past every cache, by another program. */
async function readByOthers(path: string): Promise<Buffer> {
  const { stdout } = await execa('dd', [`if=${path}`, ...(direct ? ['iflag=direct'] : []), 'bs=4096', 'status=none'], {
    encoding: 'buffer',
  });
  return Buffer.from(stdout);
}

describe('a disk in a file', () => {
  // Around the units that matter: a byte, a sector, a page.
  test.each([1, 511, 512, 513, 4095, 4096, 4097, 8192 - 512, 8192, 3 * 4096 + 1, 100_001])(
    'of %i bytes is read and written to its last byte, and no further',
    async (bytes) => {
      const { path, content } = await makeFile(makeFolder(), bytes);
      const disk = await openToEnd(path, 'write');
      expect(disk).toMatchObject({ path, sizeBytes: bytes, sectorBytes: 512, direct });
      room.fill(0xee);
      expectSame(await readAll(disk), content);
      expect(room[bytes]).toBe(0xee);
      const changed = Buffer.from(content.map((byte) => byte ^ 0xff));
      changed.copy(room);
      await disk.write(room, 0, bytes);
      await disk.sync();
      expectSame(await readByOthers(path), changed);
      room.fill(0);
      expectSame(await readAll(disk), changed);
    },
  );

  directTest('is read back from the device, not from the page cache (needs O_DIRECT)', async () => {
    const { path } = await makeFile(makeFolder(), 10_001);
    // The tail goes through the page cache when it is written; reading it must not leave it at that.
    const disk = await openToEnd(path, 'write');
    await disk.write(room.fill(1), 0, 10_001);
    await disk.sync();
    await execa('dd', [`if=${path}`, 'iflag=nocache', 'count=0', 'status=none']);
    const before = await cachedBytes(path);
    await disk.read(room, 0, 10_001);
    expect(await cachedBytes(path)).toBe(before);
  });

  test('keeps every piece where it was put, in any order and at once', async () => {
    const folder = makeFolder();
    const pages = 16;
    const size = pages * 4096 - 100;
    const piece = fc.integer({ min: 0, max: pages - 1 });
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(piece, { minLength: 1 }), fc.nat(255), async (order, seed) => {
        const { path, content } = await makeFile(folder, size);
        const disk = await openDisk(path, 'write');
        const lengthAt = (page: number) => Math.min(4096, size - page * 4096);
        await Promise.all(
          order.map((page) => {
            const from = room.subarray(page * 4096, (page + 1) * 4096).fill((seed + page) & 0xff);
            from.copy(content, page * 4096, 0, lengthAt(page));
            return disk.write(from, page * 4096, lengthAt(page));
          }),
        );
        await disk.sync();
        expectSame(await readAll(disk), content);
        await disk.close();
      }),
      { numRuns: 20 },
    );
  });

  test('works from worker threads with shared memory', async () => {
    const { path, content } = await makeFile(makeFolder(), 9000);
    const memory = alignedShared(16_384);
    const modulePath = join(import.meta.dirname, '../../storage/disk.ts');
    const worker = new Worker(
      `const { workerData } = require('node:worker_threads');
       import(workerData.modulePath).then(async ({ openDisk }) => {
         const disk = await openDisk(workerData.path, 'read');
         await disk.read(Buffer.from(workerData.memory), 0, disk.sizeBytes);
         await disk.close();
       });`,
      { eval: true, workerData: { path, memory, modulePath }, execArgv: [] },
    );
    const code = await new Promise((resolve, reject) => worker.once('exit', resolve).once('error', reject));
    expect(code).toBe(0);
    expect(Buffer.from(memory, 0, 9000).equals(content)).toBe(true);
  });

  test('refuses positions and lengths that O_DIRECT cannot take', async () => {
    const { path } = await makeFile(makeFolder(), 10_001);
    const disk = await openToEnd(path, 'write');
    const wrong = { type: 'internal' };
    await expect(disk.read(room, 512, 4096)).rejects.toMatchObject(wrong);
    await expect(disk.read(room, 0, 4095)).rejects.toMatchObject(wrong);
    await expect(disk.read(room, 8192, 4096)).rejects.toMatchObject(wrong);
    await expect(disk.read(room, -4096, 4096)).rejects.toMatchObject(wrong);
    await expect(disk.read(room, 0, 0)).rejects.toMatchObject(wrong);
    await expect(disk.read(room.subarray(0, 100), 0, 4096)).rejects.toMatchObject(wrong);
    const reader = await openToEnd(path, 'read');
    await expect(reader.write(room, 0, 4096)).rejects.toMatchObject(wrong);
    expect((await stat(path)).size).toBe(10_001);
  });

  directTest('refuses memory that O_DIRECT cannot take (needs O_DIRECT)', async () => {
    const disk = await openToEnd((await makeFile(makeFolder(), 4096)).path, 'read');
    const wrong = { type: 'internal', message: expect.stringContaining('alignedBuffer') };
    const read = disk.read(room.subarray(1), 0, 4096);
    // Over SSH bytes come by a stream, which takes any.
    if (dom0().remote === null) await expect(read).rejects.toMatchObject(wrong);
    else await read;
  });

  test('says so when it shrinks, grows or is written behind its end while it is open', async () => {
    const { path } = await makeFile(makeFolder(), 65_536);
    const disk = await openToEnd(path, 'write');
    const changed = { type: 'disk-changed', message: expect.stringContaining('65536') };
    await truncate(path, 20_000);
    await expect(readAll(disk)).rejects.toMatchObject(changed);
    await expect(disk.read(room, 32_768, 4096)).rejects.toMatchObject(changed);
    await expect(disk.sync()).rejects.toMatchObject(changed);
    await truncate(path, 65_536 + 1);
    await expect(readAll(disk)).rejects.toMatchObject(changed);
    await truncate(path, 65_536);
    await readAll(disk);
  });
});

describe('a disk that cannot be used', () => {
  test('is missing', async () => {
    const folder = makeFolder();
    const missing = { type: 'disk-missing', message: expect.stringContaining(join(folder, 'gone.raw')) };
    await expect(openDisk(join(folder, 'gone.raw'), 'read')).rejects.toMatchObject(missing);
    await expect(diskShapeOf(join(folder, 'gone.raw'))).rejects.toMatchObject(missing);
    await symlink(join(folder, 'nowhere'), join(folder, 'gone.raw'));
    await expect(openDisk(join(folder, 'gone.raw'), 'read')).rejects.toMatchObject(missing);
    await expect(openDisk(join(folder, 'no', 'folder'), 'write')).rejects.toMatchObject({ type: 'disk-missing' });
  });

  test('is empty, a folder, a terminal or a pipe', async () => {
    const folder = makeFolder();
    const unreadable = { type: 'disk-unreadable' };
    await writeFile(join(folder, 'empty.raw'), '');
    await mkdir(join(folder, 'folder.raw'));
    await execa('mkfifo', [join(folder, 'pipe.raw')]);
    for (const name of ['empty.raw', 'folder.raw', 'pipe.raw', '/dev/null']) {
      const path = name.startsWith('/') ? name : join(folder, name);
      await expect(openDisk(path, 'read')).rejects.toMatchObject(unreadable);
      await expect(diskShapeOf(path)).rejects.toMatchObject(unreadable);
    }
  });

  test('is refused by the rights of the file system', async () => {
    const { path } = await makeFile(makeFolder(), 4096);
    const read = `import { openDisk } from ${JSON.stringify(join(import.meta.dirname, '../../storage/disk.ts'))};
      await openDisk(${JSON.stringify(path)}, 'write').catch((error) => console.log(error.type, error.message));`;
    await execa('chmod', ['0400', path]);
    // Root is above such rights until it gives that up.
    const without = process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-all', '--inh-caps=-all', '--'] : [];
    const { stdout } = await execa('env', [...without, process.execPath, '--input-type=module', '--eval', read]);
    expect(stdout).toBe(`disk-unreadable disk ${path} cannot be opened for writing (EACCES)`);
  });
});

describe('a file system without O_DIRECT', () => {
  test('is used through the page cache, and the disk says so', async () => {
    const { path, content } = await makeFile(makeFolder('/dev/shm'), 10_001);
    expect((await statfs(path)).type).toBe(tmpfsMagic);
    const disk = await openToEnd(path, 'write');
    expect(disk).toMatchObject({ direct: false, sizeBytes: 10_001 });
    expectSame(await readAll(disk), content);
    await disk.write(room.fill(3), 0, 10_001);
    await disk.sync();
    expectSame(await readFile(path), Buffer.alloc(10_001, 3));
    await expect(disk.read(room, 512, 512)).rejects.toMatchObject({ type: 'internal' });
  });
});

describe('a device', () => {
  rootTest.each([512, 4096])(
    `with sectors of %i bytes is measured, read and written ${needsRoot}`,
    async (sectorBytes) => {
      // Seven sectors more than whole pages, where sectors are that small.
      const { path, content } = await makeFile(makeFolder(), 65_536 + (sectorBytes === 512 ? 7 * 512 : 0));
      const device = await attachLoop(path, '--sector-size', String(sectorBytes));
      const shape = { sizeBytes: content.length, sectorBytes };
      expect(await diskShapeOf(device)).toEqual(shape);
      const disk = await openToEnd(device, 'write');
      expect(disk).toMatchObject({ ...shape, direct: true });
      expectSame(await readAll(disk), content);
      await disk.write(room.fill(5), 0, content.length);
      await disk.sync();
      expectSame(await readFile(path), Buffer.alloc(content.length, 5));
    },
  );

  rootTest(`that nothing is attached to is unreadable ${needsRoot}`, async () => {
    const { path } = await makeFile(makeFolder(), 65_536);
    const device = await attachLoop(path);
    await execa('losetup', ['--detach', device]);
    await expect(openDisk(device, 'read')).rejects.toMatchObject({
      type: expect.stringMatching(/^disk-(unreadable|missing)$/),
    });
  });

  rootTest(`that fails to read or write is disk-io ${needsRoot}`, async () => {
    const { path } = await makeFile(makeFolder(), 1 << 20);
    const disk = await openToEnd(await attachLoop(path), 'write');
    await truncate(path, 4096);
    await expect(disk.read(room, 65_536, 4096)).rejects.toMatchObject({
      type: 'disk-io',
      message: expect.stringContaining('failed to read at byte 65536 (EIO)'),
    });
  });
});

describe('a file system that is full', () => {
  rootTest(`is disk-full, by direct and by cached writes ${needsRoot}`, async () => {
    const image = join(makeFolder(), 'image');
    await makeSparse(image, 4 << 20);
    await execa('mke2fs', ['-q', '-F', '-t', 'ext4', image]);
    const folders = [await mountAt('-t', 'tmpfs', '-o', 'size=256k', 'none'), await mountAt('-o', 'loop', image)];
    for (const folder of folders) {
      const path = join(folder, 'disk.raw');
      await makeSparse(path, 16 << 20);
      const disk = await openDisk(path, 'write');
      const fill = async () => {
        for (let at = 0; at < disk.sizeBytes; at += room.length) await disk.write(room.fill(1), at, room.length);
      };
      await expect(fill()).rejects.toMatchObject({ type: 'disk-full', message: expect.stringContaining('ENOSPC') });
      await disk.close();
    }
  });

  test.each([8192, 8192 + 512, 8192 + 1])('that is larger than what it holds ends at its byte %i', async (endBytes) => {
    const path = join(makeFolder(), 'disk.raw');
    await makeSparse(path, 1 << 20);
    const disk = await openDisk(path, 'write', endBytes);
    expect(disk.sizeBytes).toBe(endBytes);
    room.fill(7, 0, 16384);
    await disk.write(room, 0, endBytes);
    await expect(disk.write(room, 0, 16384)).rejects.toMatchObject({ type: 'internal' });
    await disk.sync();
    room.fill(0, 0, 16384);
    await disk.read(room, 0, endBytes);
    expect(room.subarray(0, endBytes).every((byte) => byte === 7)).toBe(true);
    await disk.close();
    const content = await readFile(path);
    expect(content.subarray(endBytes).every((byte) => byte === 0)).toBe(true);
  });

  rootTest(`that loses data at a sync is fatal, at once and ever after ${needsRoot}`, async () => {
    // A file system that grows inside one that is full: the odd tail waits in the page cache and cannot leave it.
    const outer = await mountAt('-t', 'tmpfs', '-o', 'size=1m', 'none');
    const image = join(outer, 'image');
    await makeSparse(image, 4 << 20);
    await execa('mke2fs', ['-q', '-F', '-t', 'ext4', '-O', '^has_journal', image]);
    const path = join(await mountAt('-o', 'loop', image), 'disk.raw');
    await makeSparse(path, 4097);
    const disk = await openToEnd(path, 'write');
    await disk.sync();
    const filler = join(outer, 'filler');
    await expect(writeFile(filler, Buffer.alloc(1 << 20))).rejects.toMatchObject({ code: 'ENOSPC' });
    if (dom0().remote !== null) {
      // Over SSH a write is durable when it has ended, or fails.
      await expect(disk.write(room, 4096, 1)).rejects.toMatchObject({ type: 'disk-full' });
      return;
    }
    await disk.write(room, 4096, 1);
    const fatal = { type: 'disk-io', fatal: true };
    await expect(disk.sync()).rejects.toMatchObject(fatal);
    await rm(filler);
    await expect(disk.sync()).rejects.toMatchObject(fatal);
  });
});

async function makeSparse(path: string, bytes: number): Promise<void> {
  await writeFile(path, '');
  await truncate(path, bytes);
}

/** How much of a file the page cache holds. */
async function cachedBytes(path: string): Promise<number> {
  const { stdout } = await execa('fincore', ['--bytes', '--noheadings', '--output', 'RES', path]);
  return Number(stdout);
}
