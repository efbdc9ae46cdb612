import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, open, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Dom0Access } from '../../dom0/access.ts';
import { localDom0 } from '../../dom0/local.ts';
import { sshDom0 } from '../../dom0/ssh-dom0.ts';
import { startSshd, sshdMissing } from '../../infra/lab/sshd.ts';
import type { LabSshd } from '../../infra/lab/sshd.ts';
import { alignedBuffer } from '../../storage/aligned.ts';

const ways = sshdMissing === null ? (['local', 'ssh'] as const) : (['local'] as const);

/** What other tests begin at the same time is not theirs. */
const owner = randomUUID();

describe.each(ways)('a dom0 that is entered by way of %s', (way) => {
  let sshd: LabSshd | null = null;
  let dom0: Dom0Access = localDom0;
  let root: string;
  let folder: string;

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "sealift dom0 'quoted' "));
    if (way === 'local') return;
    sshd = await startSshd();
    dom0 = sshDom0({ ...sshd, owner });
  });
  beforeEach(async () => {
    folder = await mkdtemp(join(root, 'a $HOME `x` '));
  });
  afterAll(async () => {
    dom0.leave();
    await sshd?.stop();
    await rm(root, { recursive: true, force: true });
  });

  test('tells of a file, a folder, a link and a device what node tells', async () => {
    const file = join(folder, 'file');
    await writeFile(file, 'twelve bytes', { mode: 0o640 });
    await symlink(file, join(folder, 'link'));
    const status = await dom0.lstat(file);
    expect(status).toEqual(await localDom0.lstat(file));
    expect(status).toMatchObject({ kind: 'file', sizeBytes: 12, mode: 0o640, nlink: 1 });
    expect(await dom0.stat(join(folder, 'link'))).toEqual(status);
    expect(await dom0.lstat(join(folder, 'link'))).toMatchObject({ kind: 'link' });
    expect(await dom0.stat(folder)).toMatchObject({ kind: 'folder' });
    expect((await dom0.stat('/dev/null')).rdev).toBe((await localDom0.stat('/dev/null')).rdev);
    const { type, totalBytes } = await localDom0.statfs(folder);
    expect(await dom0.statfs(folder)).toMatchObject({ type, totalBytes });
  });

  test('makes, renames, links and removes, and says what cannot be done by the codes of the system', async () => {
    const at = (name: string): string => join(folder, name);
    await dom0.mkdir(at('own'), { mode: 0o700 });
    await expect(dom0.mkdir(at('own'), { mode: 0o700 })).rejects.toMatchObject({ code: 'EEXIST' });
    await dom0.mkdir(at('own/deeper'), { mode: 0o700, recursive: true });
    await dom0.mkdir(at('own/deeper'), { mode: 0o700, recursive: true });
    expect(await dom0.stat(at('own'))).toMatchObject({ kind: 'folder', mode: 0o700 });
    const made = await dom0.open(at('own/file'), 'new', { mode: 0o600 });
    await made.writeFile('a line\n');
    await made.sync();
    await made.close();
    await expect(dom0.open(at('own/file'), 'new')).rejects.toMatchObject({ code: 'EEXIST' });
    expect((await dom0.readFile(at('own/file'))).toString()).toBe('a line\n');
    await dom0.chmod(at('own/file'), 0o400);
    expect((await dom0.lstat(at('own/file'))).mode).toBe(0o400);
    await dom0.link(at('own/file'), at('own/hard'));
    await expect(dom0.link(at('own/file'), at('own/hard'))).rejects.toMatchObject({ code: 'EEXIST' });
    await dom0.symlink('own/file', at('soft'));
    expect(await dom0.readlink(at('soft'))).toBe('own/file');
    expect(await dom0.realpath(at('soft'))).toBe(at('own/file'));
    await dom0.rename(at('own/hard'), at('own/moved'));
    expect((await dom0.readdir(at('own'))).sort()).toEqual(['deeper', 'file', 'moved']);
    await expect(dom0.rmdir(at('own'))).rejects.toMatchObject({ code: 'ENOTEMPTY' });
    await dom0.unlink(at('own/moved'));
    await expect(dom0.unlink(at('own/moved'))).rejects.toMatchObject({ code: 'ENOENT' });
    await dom0.remove(at('own/moved'));
    await dom0.remove(at('own'), { recursive: true });
    await expect(dom0.readdir(at('own'))).rejects.toMatchObject({ code: 'ENOENT' });
    for (const look of ['stat', 'lstat', 'readFile', 'realpath', 'readlink'] as const) {
      await expect(dom0[look](at('nothing'))).rejects.toMatchObject({ code: 'ENOENT', path: at('nothing') });
    }
    await expect(dom0.open(at('nothing'), 'read')).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(dom0.open(at('nothing'), 'write')).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(dom0.readFile(join(at('soft'), 'below'))).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(dom0.rename('/dev/null', at('null'))).rejects.toMatchObject({ code: 'EXDEV' });
  });

  test('does not follow a link, nor wait at a pipe, where a plain file is asked for', async () => {
    await writeFile(join(folder, 'file'), 'x');
    await symlink('file', join(folder, 'link'));
    await expect(dom0.open(join(folder, 'link'), 'read', { plain: true })).rejects.toMatchObject({ code: 'ELOOP' });
    await dom0.run(['mkfifo', join(folder, 'pipe')], { limitMs: 5_000 });
    await (await dom0.open(join(folder, 'pipe'), 'read', { plain: true })).close();
  });

  test('reads and writes anywhere in a file, past its end too, and with O_DIRECT', async () => {
    const path = join(folder, 'disk');
    const content = randomBytes(3 * 1024 * 1024 + 777);
    await writeFile(path, content);
    const file = await dom0.open(path, 'write');
    const into = Buffer.alloc(content.length);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(content.length - 1),
        fc.integer({ min: 1, max: 70_000 }),
        fc.boolean(),
        async (atBytes, wantedBytes, writes) => {
          const lengthBytes = Math.min(wantedBytes, content.length - atBytes);
          if (writes) {
            randomBytes(lengthBytes).copy(content, atBytes);
            await file.write(content, atBytes, lengthBytes, atBytes);
          }
          const { bytesRead } = await file.read(into, 5, lengthBytes, atBytes);
          expect(bytesRead).toBe(lengthBytes);
          expect(into.subarray(5, 5 + lengthBytes).equals(content.subarray(atBytes, atBytes + lengthBytes))).toBe(true);
        },
      ),
      { numRuns: 30 },
    );
    await file.datasync();
    expect((await readFile(path)).equals(content)).toBe(true);
    expect((await file.read(into, 0, 4096, content.length - 7)).bytesRead).toBe(7);
    await file.truncate(8192);
    expect(await file.stat()).toMatchObject({ sizeBytes: 8192 });
    await file.close();
    const straight = await dom0.open(path, 'write', { direct: true });
    const page = alignedBuffer(4096);
    page.fill(7);
    expect(await straight.write(page, 0, 4096, 4096)).toMatchObject({ bytesWritten: 4096 });
    page.fill(0);
    expect(await straight.read(page, 0, 4096, 4096)).toMatchObject({ bytesRead: 4096 });
    expect(page.every((byte) => byte === 7)).toBe(true);
    await straight.close();
    await (await dom0.open(folder, 'read')).sync();
  });

  test('runs a program by its arguments, whatever is in them, and tells how it ended', async () => {
    const words = ["it's", '$(reboot)', 'a\nb', '', '*', '\\', '"', '-n', 'ü'];
    const said = await dom0.run(['printf', '%s|', ...words], { limitMs: 5_000 });
    expect(said).toEqual({
      ended: 'by-itself',
      exitCode: 0,
      stdout: words.map((word) => `${word}|`).join(''),
      stderr: '',
    });
    const told = await dom0.run(['sh', '-c', 'echo "$WORD"; echo complaint >&2; exit 3'], {
      limitMs: 5_000,
      env: { WORD: "a 'word'" },
    });
    expect(told).toEqual({ ended: 'by-itself', exitCode: 3, stdout: "a 'word'", stderr: 'complaint' });
    expect(await dom0.run(['no-such-program'], { limitMs: 5_000 })).toMatchObject({ ended: 'missing', exitCode: null });
    expect(await dom0.run(['sh', '-c', 'kill -9 $$'], { limitMs: 5_000 })).toMatchObject({ ended: 'by-itself' });
  });

  test('ends a program that takes too long, with what it has started', async () => {
    const mark = `sealift-limit-${randomBytes(6).toString('hex')}`;
    const begun = await dom0.run(['sh', '-c', 'sleep 60 & sleep 60'], { limitMs: 500, env: { MARK: mark } });
    expect(begun).toMatchObject({ ended: 'limit', exitCode: null });
    const left = async (): Promise<string[]> => localDom0.filesWith('/proc/[0-9]*/environ', mark);
    while ((await left()).length > 0) await new Promise((resolve) => setImmediate(resolve));
  });

  test('looks at all that matches a pattern', async () => {
    const pattern = (name: string): string => join(plainRoot, name);
    const plainRoot = await mkdtemp(join(tmpdir(), 'sealift-dom0-'));
    try {
      for (const name of ['a1', 'a2', 'b1'])
        await writeFile(pattern(name), name === 'a2' ? '' : `text ${name}\nmore\n`);
      await writeFile(pattern('.a3'), 'hidden');
      await symlink('nowhere', pattern('a4'));
      expect([...(await dom0.statEach(pattern('a*'))).keys()].sort()).toEqual([pattern('a1'), pattern('a2')]);
      expect((await dom0.statEach(pattern('a1'))).get(pattern('a1'))).toEqual(await dom0.stat(pattern('a1')));
      expect(await dom0.readEach(pattern('*'))).toEqual(
        new Map([
          [pattern('a1'), 'text a1\nmore\n'],
          [pattern('b1'), 'text b1\nmore\n'],
        ]),
      );
      expect(await dom0.filesWith(pattern('*'), 'text b')).toEqual([pattern('b1')]);
      expect(await dom0.filesWith(pattern('*'), 'text c')).toEqual([]);
      const held = await open(pattern('a1'), 'r');
      const { ino } = await held.stat({ bigint: true });
      const mine = [...(await dom0.statEach('/proc/[0-9]*/fd/*'))].filter(([, status]) => status.ino === ino);
      expect(mine.map(([path]) => path)).toEqual([`/proc/${String(process.pid)}/fd/${String(held.fd)}`]);
      await held.close();
    } finally {
      await rm(plainRoot, { recursive: true, force: true });
    }
  });
});
