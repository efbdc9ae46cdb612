import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { xlToolstack } from '../../xen/xl.ts';
import { fixtures, listOf, recordedXl } from './recorded.ts';
import type { RecordedXl } from './recorded.ts';

const uuid = '11111111-2222-3333-4444-555555550001';
const other = '99999999-2222-3333-4444-555555550001';
const running = { running: listOf(['pv1', 5, '-b----', uuid]), none: listOf() };

async function configFile(
  { folder }: RecordedXl,
  text = `name = "pv1"\nuuid = "${uuid.toUpperCase()}"\n`,
): Promise<string> {
  const path = join(folder, 'pv1.cfg');
  await writeFile(path, text);
  return path;
}

describe('questions', () => {
  test('are answered from what xl prints', async () => {
    await using xl = await recordedXl({
      info: ['info'],
      'list -v': ['list-v-pv-pvh'],
      'list -l': ['list-l-pv-pvh'],
    });
    expect(await xl.toolstack.info()).toMatchObject({ host: 'xen1', xenVersion: '4.17.7' });
    expect((await xl.toolstack.list()).map((domain) => domain.name)).toEqual(['pv1', 'pvh1']);
    const [pv, pvh, ...others] = await xl.toolstack.runningConfigs();
    expect(pv).toMatchObject({ domid: 5, config: { c_info: { name: 'pv1' } } });
    expect(pvh).toMatchObject({ domid: 9, config: { c_info: { name: 'pvh1' } } });
    expect(others).toEqual([]);
  });
});

describe('create', () => {
  test('starts a domain that is not there', async () => {
    await using xl = await recordedXl(
      { 'list -v': ['none'], 'create pv1.cfg': ['create-pv'], 'create -p pv1.cfg': ['create-pv'] },
      running,
    );
    const path = await configFile(xl);
    await xl.toolstack.create(path);
    await xl.toolstack.create(path, { paused: true });
    expect((await xl.calls()).filter((call) => call.startsWith('create'))).toEqual([
      `create ${path}`,
      `create -p ${path}`,
    ]);
  });

  test('is done already when the uuid and the name run', async () => {
    await using xl = await recordedXl({ 'list -v': ['running'] }, running);
    await xl.toolstack.create(await configFile(xl));
    expect(new Set(await xl.calls())).toEqual(new Set(['list -v']));
  });

  test.each([
    ['another uuid under the name', listOf(['pv1', 5, '-b----', other]), 'named pv1 is there with another uuid'],
    ['the uuid under another name', listOf(['pv8', 5, '-b----', uuid]), 'the uuid of pv1 is there under another name'],
    ['the uuid twice', listOf(['pv1', 5, '-b----', uuid], ['pv8', 6, '-b----', uuid]), 'under another name'],
  ])('refuses beside %s', async (_what, list, message) => {
    await using xl = await recordedXl({ 'list -v': ['list'] }, { list });
    const created = xl.toolstack.create(await configFile(xl));
    await expect(created).rejects.toMatchObject({ type: 'name-taken', message: expect.stringContaining(message) });
    expect((await xl.calls()).every((call) => call === 'list -v')).toBe(true);
  });

  test('makes a domain anew that a killed create left paused', async () => {
    const half = listOf(['pv1', 5, '--p---', uuid, 0]);
    // Settled twice, found, then gone.
    await using xl = await recordedXl(
      { 'list -v': ['half', 'half', 'half', 'none'], 'destroy 5': ['destroy'], 'create pv1.cfg': ['create-pv'] },
      { ...running, half },
    );
    const path = await configFile(xl);
    await xl.toolstack.create(path);
    expect((await xl.calls()).filter((call) => !call.startsWith('list'))).toEqual(['destroy 5', `create ${path}`]);
  });

  test('lets a domain be that somebody paused, and one that crashed', async () => {
    const paused = listOf(['pv1', 5, '--p---', uuid, 4.2]);
    await using xl = await recordedXl({ 'list -v': ['paused'] }, { paused });
    await xl.toolstack.create(await configFile(xl));
    const crashed = listOf(['pv1', 5, '---sc-', uuid]);
    await using after = await recordedXl({ 'list -v': ['crashed', 'crashed', 'crashed'] }, { crashed });
    const toolstack = xlToolstack({
      command: join(fixtures, 'bin-recorded/xl'),
      env: { XL_ANSWERS: after.folder },
      limitMs: 1000,
    });
    await expect(toolstack.create(await configFile(after))).rejects.toMatchObject({ type: 'unknown-state' });
    expect((await after.calls()).every((call) => call === 'list -v')).toBe(true);
  });

  test('tells why xl failed, without the paths', async () => {
    await using xl = await recordedXl({ 'list -v': ['none'], 'create pv1.cfg': ['create-lv-missing'] }, running);
    const path = await configFile(xl);
    await expect(xl.toolstack.create(path)).rejects.toMatchObject({
      type: 'xl-failed',
      message:
        'xl create failed (exit 3): Disk vdev=xvda failed to stat: <path>: No such file or directory; Domain 5:Unable to set disk defaults for disk 0',
    });
  });

  test('needs a configuration with a name and a uuid', async () => {
    await using xl = await recordedXl({});
    await expect(xl.toolstack.create(await configFile(xl, 'name = "pv1"'))).rejects.toMatchObject({
      type: 'bad-config',
    });
    await expect(xl.toolstack.create(await configFile(xl, 'name ='))).rejects.toMatchObject({ type: 'config-syntax' });
    await expect(xl.toolstack.create(join(xl.folder, 'absent'))).rejects.toMatchObject({ type: 'bad-config' });
    expect(await xl.calls()).toEqual([]);
  });
});

describe('orders', () => {
  test('go to the number of the domain, never to its name', async () => {
    const list = listOf(['12', 5, '-b----', uuid]);
    await using xl = await recordedXl(
      {
        'list -v': ['list', 'list', 'list', 'paused'],
        'shutdown -F 5': ['shutdown-default'],
        'destroy 5': ['destroy'],
        'pause 5': ['pause'],
      },
      { list, paused: listOf(['12', 5, '--p---', uuid]) },
    );
    await xl.toolstack.shutdown('12');
    await xl.toolstack.destroy(uuid);
    await xl.toolstack.pause('12');
    expect((await xl.calls()).filter((call) => call !== 'list -v')).toEqual(['shutdown -F 5', 'destroy 5', 'pause 5']);
  });

  test('do nothing when it is so already', async () => {
    const list = listOf(['down', 5, '---s--', uuid], ['halted', 6, '--p---', other]);
    await using xl = await recordedXl({ 'list -v': ['list'] }, { list });
    await xl.toolstack.shutdown(uuid);
    await xl.toolstack.pause(other);
    await xl.toolstack.destroy('absent');
    await xl.toolstack.shutdown('absent');
    await expect(xl.toolstack.unpause('absent')).rejects.toMatchObject({ type: 'unknown-vm' });
    expect((await xl.calls()).every((call) => call === 'list -v')).toBe(true);
  });

  test('look again when xl fails: the work may be done', async () => {
    await using done = await recordedXl(
      { 'list -v': ['running', 'none'], 'destroy 5': ['destroy-absent-id'] },
      running,
    );
    await done.toolstack.destroy(uuid);
    await using not = await recordedXl({ 'list -v': ['running'], 'shutdown -F 5': ['shutdown-twice'] }, running);
    await expect(not.toolstack.shutdown(uuid)).rejects.toMatchObject({
      type: 'xl-failed',
      message: "xl shutdown failed (exit 1): guest didn't acknowledge control request: -9; shutdown failed (rc=-9)",
    });
  });

  test('look again when xl says that a guest goes on: it may be paused still', async () => {
    const list = listOf(['pv1', 5, '--p---', uuid]);
    await using xl = await recordedXl({ 'list -v': ['list'], 'unpause 5': ['unpause'] }, { list });
    await expect(xl.toolstack.unpause(uuid)).rejects.toMatchObject({
      type: 'xl-failed',
      message: 'xl unpause reported success, and pv1 is paused still',
    });
    await using goes = await recordedXl(
      { 'list -v': ['list', 'none'], 'unpause 5': ['unpause'] },
      { list, none: listOf() },
    );
    await goes.toolstack.unpause(uuid);
  });

  test('refuse to choose between two domains of one uuid', async () => {
    const list = listOf(['a', 5, '-b----', uuid], ['b', 6, '-b----', uuid]);
    await using xl = await recordedXl({ 'list -v': ['list'] }, { list });
    await expect(xl.toolstack.destroy(uuid)).rejects.toMatchObject({ type: 'unknown-state' });
  });
});

describe('an xl that hangs', () => {
  test('is killed with its children', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sealift-xl-'));
    try {
      const pids = join(folder, 'pids');
      const toolstack = xlToolstack({ command: join(fixtures, 'bin-hangs/xl'), env: { XL_PIDS: pids }, limitMs: 500 });
      await expect(toolstack.list()).rejects.toMatchObject({
        type: 'xl-hangs',
        message: 'xl list did not end within 500 ms and was killed',
      });
      const started = (await readFile(pids, 'utf8')).trim().split(' ');
      expect(started).toHaveLength(2);
      const alive = await Promise.all(started.map(isAlive));
      for (const pid of started.filter((_pid, index) => alive[index])) process.kill(Number(pid), 'SIGKILL');
      expect(alive).toEqual([false, false]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('or that is not there is told apart', async () => {
    await expect(xlToolstack({ command: '/nonexistent/xl' }).list()).rejects.toMatchObject({
      type: 'xl-failed',
      message: 'xl cannot be run (ENOENT)',
    });
  });
});

/** A killed process whose parent has not taken note is a zombie: dead all the same. */
/** Whether it lives on: what was killed may take a moment to be gone. */
async function isAlive(pid: string): Promise<boolean> {
  const stat = `/proc/${pid}/stat`;
  for (const end = performance.now() + 5_000; performance.now() < end;) {
    if (!existsSync(stat)) return false;
    const text = await readFile(stat, 'utf8').catch(() => '');
    if (text === '' || /\) [ZX] /.test(text)) return false;
  }
  return true;
}
