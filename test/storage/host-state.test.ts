import { randomUUID } from 'node:crypto';
import { cpSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { claimDom0, openHostState } from '../../storage/host-state.ts';
import type { HostState } from '../../storage/host-state.ts';
import { atEnd, linesOf, makeFolder, startProgram } from './support.ts';

function open(folder: string): HostState {
  const state = openHostState(folder, []);
  atEnd(() => {
    state.close();
  });
  return state;
}

async function makeDom0(): Promise<string> {
  const folder = join(makeFolder(), 'xen');
  await mkdir(folder);
  return folder;
}

describe('the lock of the host state', () => {
  test('keeps a second process out until the first is dead, however it died', async () => {
    const folder = join(makeFolder(), 'state');
    const owner = startProgram('own-state.ts', folder);
    const instance = await linesOf(owner.stdout).next();
    expect(instance).toMatchObject({ value: expect.stringMatching(/^[0-9a-f-]{36}$/) });
    expect(() => openHostState(folder, [])).toThrow(
      expect.objectContaining({ type: 'state-locked', message: expect.stringContaining(folder) }),
    );
    owner.kill('SIGKILL');
    await owner;
    expect(open(folder).instance).toBe(instance.value);
  });

  test('keeps a second opening in the same process out, which does not weaken it for others', async () => {
    const folder = join(makeFolder(), 'state');
    const state = open(folder);
    expect(() => openHostState(folder, [])).toThrow(expect.objectContaining({ type: 'state-locked' }));
    const other = await startProgram('own-state.ts', folder);
    expect(other.exitCode).toBe(1);
    expect(other.stderr).toContain('another process owns the state');
    state.close();
    expect(open(folder).instance).toBe(state.instance);
  });

  test('is free again after an opening that failed', () => {
    const folder = join(makeFolder(), 'state');
    expect(() => openHostState(folder, [{ name: 'broken', versions: ['nonsense'] }])).toThrow('syntax error');
    open(folder);
  });
});

describe('the host state', () => {
  test('makes its folder for its user only, and draws an instance once', () => {
    const folder = join(makeFolder(), 'deep', 'state');
    const state = open(folder);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    state.close();
    expect(open(folder).instance).toBe(state.instance);
    expect(open(join(makeFolder(), 'state')).instance).not.toBe(state.instance);
  });

  test('refuses a copy of itself, under another name and put back under its own', () => {
    const parent = makeFolder();
    const folder = join(parent, 'state');
    open(folder).close();
    cpSync(folder, join(parent, 'copy'), { recursive: true });
    expect(() => openHostState(join(parent, 'copy'), [])).toThrow(expect.objectContaining({ type: 'copied-host' }));
    open(folder).close();
    // Moved away first, so that the copy cannot be given the inode just freed.
    renameSync(folder, join(parent, 'old'));
    renameSync(join(parent, 'copy'), folder);
    expect(() => openHostState(folder, [])).toThrow(expect.objectContaining({ type: 'copied-host' }));
  });
});

describe('the claim on a dom0', () => {
  test('is made once and found again, also by a state that was moved', async () => {
    const xen = await makeDom0();
    const parent = makeFolder();
    const state = open(join(parent, 'state'));
    await claimDom0(state, xen);
    await claimDom0(state, xen);
    expect(JSON.parse(readFileSync(join(xen, 'sealift.owner'), 'utf8'))).toMatchObject({
      instance: state.instance,
      folder: join(parent, 'state'),
    });
    state.close();
    renameSync(join(parent, 'state'), join(parent, 'moved'));
    await claimDom0(open(join(parent, 'moved')), xen);
    expect(readFileSync(join(xen, 'sealift.owner'), 'utf8')).toContain(join(parent, 'moved'));
  });

  test('keeps any other state out of the same dom0', async () => {
    const xen = await makeDom0();
    const state = open(join(makeFolder(), 'state'));
    await claimDom0(state, xen);
    const mark = readFileSync(join(xen, 'sealift.owner'), 'utf8');
    await expect(claimDom0(open(join(makeFolder(), 'state')), xen)).rejects.toMatchObject({
      type: 'copied-host',
      message: expect.stringContaining(state.folder),
    });
    expect(readFileSync(join(xen, 'sealift.owner'), 'utf8')).toBe(mark);
    // Another file system may give its file the same inode.
    const { ino } = statSync(join(state.folder, 'host.db'), { bigint: true });
    const other: unknown = { v: 1, instance: randomUUID(), folder: state.folder, database: `1:${String(ino)}` };
    await writeFile(join(xen, 'sealift.owner'), JSON.stringify(other));
    await expect(claimDom0(state, xen)).rejects.toMatchObject({ type: 'copied-host' });
  });

  test('does not pass to a second dom0', async () => {
    const state = open(join(makeFolder(), 'state'));
    const xen = await makeDom0();
    await claimDom0(state, xen);
    await expect(claimDom0(state, await makeDom0())).rejects.toMatchObject({ type: 'copied-host' });
    rmSync(join(xen, 'sealift.owner'));
    await expect(claimDom0(state, xen)).rejects.toMatchObject({ type: 'copied-host' });
  });

  test('stops at a mark that does not parse, and at a dom0 that is not there', async () => {
    const xen = await makeDom0();
    const state = open(join(makeFolder(), 'state'));
    await writeFile(join(xen, 'sealift.owner'), '{"v":1');
    await expect(claimDom0(state, xen)).rejects.toMatchObject({ type: 'unknown-state' });
    await expect(claimDom0(state, join(xen, 'gone'))).rejects.toMatchObject({ type: 'bad-config' });
  });
});
