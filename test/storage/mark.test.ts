import { readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { markPath, readMark, removeMark, writeMark } from '../../storage/mark.ts';
import type { Mark } from '../../storage/mark.ts';
import { canMount, makeFolder, mountAt, needsRoot } from './support.ts';

const mark: Mark = {
  v: 1,
  lineage: '0123456789abcdef0123456789abcdef',
  token: 3,
  role: 'source',
  vmUuid: '5b0c2a5e-9f43-4a86-8a5b-2f0f6d8e1c11',
  vmName: 'web-1',
};

describe('the mark beside a disk', () => {
  test('is found again, twice written is fine, and is gone after its removal', async () => {
    const folder = makeFolder();
    const disk = join(folder, 'xvda.raw');
    expect(await readMark({ path: disk })).toBeNull();
    await writeMark({ path: disk }, mark);
    await writeMark({ path: disk }, mark);
    expect(await readMark({ path: disk })).toEqual(mark);
    expect(await readdir(folder)).toEqual(['xvda.raw.sealift']);
    await removeMark({ path: disk });
    await removeMark({ path: disk });
    expect(await readMark({ path: disk })).toBeNull();
  });

  test('takes a later token of its lineage, never an earlier one or another lineage', async () => {
    const disk = join(makeFolder(), 'xvda.raw');
    await writeMark({ path: disk }, mark);
    await writeMark({ path: disk }, { ...mark, token: 4, role: 'landing' });
    await expect(writeMark({ path: disk }, mark)).rejects.toMatchObject({ type: 'unknown-state' });
    const other = { ...mark, lineage: 'f'.repeat(32), token: 9 };
    await expect(writeMark({ path: disk }, other)).rejects.toMatchObject({ type: 'unknown-state' });
    expect(await readMark({ path: disk })).toMatchObject({ lineage: mark.lineage, token: 4, role: 'landing' });
  });

  test('gets over what a crash left of its writing', async () => {
    const disk = join(makeFolder(), 'xvda.raw');
    await writeFile(`${markPath(disk)}.new`, '{"v":', { mode: 0o400 });
    expect(await readMark({ path: disk })).toBeNull();
    await writeMark({ path: disk }, mark);
    expect(await readMark({ path: disk })).toEqual(mark);
  });

  const mounting = canMount ? test : test.skip;
  mounting(`stays as it was when there is no space for a new one ${needsRoot}`, async () => {
    const folder = await mountAt('-t', 'tmpfs', '-o', 'size=64k', 'none');
    const disk = join(folder, 'xvda.raw');
    await writeMark({ path: disk }, mark);
    const ballast = join(folder, 'ballast');
    await expect(writeFile(ballast, Buffer.alloc(100_000))).rejects.toMatchObject({ code: 'ENOSPC' });
    const next = { ...mark, token: 4 };
    await expect(writeMark({ path: disk }, next)).rejects.toMatchObject({ type: 'disk-full' });
    expect(await readMark({ path: disk })).toEqual(mark);
    expect((await readdir(folder)).sort()).toEqual(['ballast', 'xvda.raw.sealift']);
    await rm(ballast);
    await writeMark({ path: disk }, next);
    expect(await readMark({ path: disk })).toEqual(next);
  });

  test.each([
    ['empty', ''],
    ['cut', '{"v":1,"lineage":"0123'],
    ['of a later version', JSON.stringify({ ...mark, v: 2 })],
    ['with more than we know', JSON.stringify({ ...mark, more: 1 })],
    ['endless', `{"v":1${' '.repeat(10_000)}}`],
  ])('that is %s stops us, and is left as it is', async (_, text) => {
    const disk = join(makeFolder(), 'xvda.raw');
    await writeFile(markPath(disk), text);
    await expect(readMark({ path: disk })).rejects.toMatchObject({ type: 'unknown-state' });
    await expect(writeMark({ path: disk }, mark)).rejects.toMatchObject({ type: 'unknown-state' });
    expect(await readFile(markPath(disk), 'utf8')).toBe(text);
  });

  test('is never followed through a link', async () => {
    const folder = makeFolder();
    const disk = join(folder, 'xvda.raw');
    await writeMark({ path: join(folder, 'other.raw') }, mark);
    await symlink(markPath(join(folder, 'other.raw')), markPath(disk));
    await expect(readMark({ path: disk })).rejects.toMatchObject({ type: 'unknown-state' });
  });
});
