import { chmod, link, lstat, mkdir, open, readdir, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { allocateDisk, poolSpace, unwrittenBytes } from '../../storage/pool.ts';
import type { FolderPool } from '../../storage/pool.ts';
import { canMount, makeFolder, mountAt, needsRoot } from './support.ts';

const wanted = { folder: 'web-1.01234567.3', vdev: 'xvda', sizeBytes: 1_000_001, reservedBytes: 0 };

function makePool(): FolderPool {
  return { name: 'local', kind: 'folder', path: makeFolder() };
}

describe('a disk in a pool', () => {
  test('is made sparse, private, of the size wanted, and found again', async () => {
    const pool = makePool();
    const path = await allocateDisk(pool, wanted);
    expect(path).toBe(join(pool.path, 'web-1.01234567.3', 'xvda.raw'));
    const made = await lstat(path);
    expect(made).toMatchObject({ size: 1_000_001, blocks: 0, nlink: 1 });
    expect(made.mode & 0o777).toBe(0o600);
    expect((await lstat(join(pool.path, wanted.folder))).mode & 0o777).toBe(0o700);
    expect(await allocateDisk(pool, wanted)).toBe(path);
    expect((await lstat(path)).ino).toBe(made.ino);
    await allocateDisk(pool, { ...wanted, vdev: 'xvdb' });
    expect(await readdir(join(pool.path, wanted.folder))).toEqual(['xvda.raw', 'xvdb.raw']);
  });

  test('keeps what was written to it when it is asked for again', async () => {
    const pool = makePool();
    const path = await allocateDisk(pool, wanted);
    const handle = await open(path, 'r+');
    await handle.write(Buffer.alloc(8192, 1), 0, 8192, 0);
    await handle.close();
    expect(await unwrittenBytes(path)).toBe(1_000_001 - 8192);
    await allocateDisk(pool, wanted);
    expect(await unwrittenBytes(path)).toBe(1_000_001 - 8192);
    expect(await unwrittenBytes(`${path}.gone`)).toBe(0);
  });

  test('gets over what a crash left of its making', async () => {
    const pool = makePool();
    await mkdir(join(pool.path, wanted.folder), { mode: 0o700 });
    await writeFile(join(pool.path, wanted.folder, 'xvda.raw.new'), 'half', { mode: 0o400 });
    const path = await allocateDisk(pool, wanted);
    expect((await lstat(path)).size).toBe(1_000_001);
    expect(await readdir(join(pool.path, wanted.folder))).toEqual(['xvda.raw']);
  });

  test('is never a file that a landing of this host did not make, nor one of another size', async () => {
    const stranger = join(makeFolder(), 'other.raw');
    await writeFile(stranger, Buffer.alloc(1_000_001), { mode: 0o600 });
    const strange: Record<string, (path: string) => Promise<unknown>> = {
      'a link': (path) => symlink(stranger, path),
      'a second name': (path) => link(stranger, path),
      'a folder': (path) => mkdir(path),
      'open to others': (path) => writeFile(path, Buffer.alloc(1_000_001), { mode: 0o644 }),
      'of another size': (path) => writeFile(path, 'short', { mode: 0o600 }),
    };
    for (const make of Object.values(strange)) {
      const pool = makePool();
      await mkdir(join(pool.path, wanted.folder), { mode: 0o700 });
      await make(join(pool.path, wanted.folder, 'xvda.raw'));
      await expect(allocateDisk(pool, wanted)).rejects.toMatchObject({ type: 'unknown-state' });
    }
    expect(await lstat(stranger)).toMatchObject({ size: 1_000_001 });
  });

  test('is never made in a folder that is a link or open to others', async () => {
    const pool = makePool();
    const folder = join(pool.path, wanted.folder);
    await symlink(makeFolder(), folder);
    await expect(allocateDisk(pool, wanted)).rejects.toMatchObject({ type: 'unknown-state' });
    const other = { ...wanted, folder: 'web-2.01234567.3' };
    await mkdir(join(pool.path, other.folder));
    await chmod(join(pool.path, other.folder), 0o755);
    await expect(allocateDisk(pool, other)).rejects.toMatchObject({ type: 'unknown-state' });
  });

  test.each(['../web-1', '..', 'a/b', '-rf', '', '.web-1'])('is never made in a folder named "%s"', async (folder) => {
    await expect(allocateDisk(makePool(), { ...wanted, folder })).rejects.toMatchObject({ type: 'bad-usage' });
    await expect(allocateDisk(makePool(), { ...wanted, vdev: folder })).rejects.toMatchObject({ type: 'bad-usage' });
  });
});

describe('the space of a pool', () => {
  test('is what the file system has, and refuses more before anything is made', async () => {
    const pool = makePool();
    const { freeBytes, totalBytes } = await poolSpace(pool);
    expect(freeBytes).toBeGreaterThan(0);
    expect(totalBytes).toBeGreaterThanOrEqual(freeBytes);
    const noSpace = { type: 'no-space', message: expect.stringContaining('pool local has') };
    await expect(allocateDisk(pool, { ...wanted, sizeBytes: totalBytes + 1 })).rejects.toMatchObject(noSpace);
    await expect(allocateDisk(pool, { ...wanted, reservedBytes: totalBytes })).rejects.toMatchObject(noSpace);
    expect(await readdir(join(pool.path, wanted.folder))).toEqual([]);
  });

  (canMount ? test : test.skip)(`counts what sparse disks have still to take ${needsRoot}`, async () => {
    const pool: FolderPool = {
      name: 'small',
      kind: 'folder',
      path: await mountAt('-t', 'tmpfs', '-o', 'size=4m', 'none'),
    };
    const first = await allocateDisk(pool, { ...wanted, sizeBytes: 3 << 20 });
    const second = { ...wanted, vdev: 'xvdb', sizeBytes: 2 << 20 };
    await expect(allocateDisk(pool, { ...second, reservedBytes: await unwrittenBytes(first) })).rejects.toMatchObject({
      type: 'no-space',
    });
    // What is there already needs no space any more.
    await writeFile(first, Buffer.alloc(3 << 20), { flag: 'r+' });
    expect(await allocateDisk(pool, { ...wanted, sizeBytes: 3 << 20 })).toBe(first);
    await truncate(first, 0);
    expect(await allocateDisk(pool, second)).toContain('xvdb.raw');
  });

  test('is not looked for below a mount that is not there', async () => {
    const pool: FolderPool = { name: 'gone', kind: 'folder', path: join(makeFolder(), 'gone') };
    const gone = { type: 'bad-config', message: expect.stringContaining(pool.path) };
    await expect(poolSpace(pool)).rejects.toMatchObject(gone);
    await expect(allocateDisk(pool, wanted)).rejects.toMatchObject(gone);
  });
});
