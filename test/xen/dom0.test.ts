import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { dom0At, findVms } from '../../xen/dom0.ts';
import type { Dom0, FoundVm } from '../../xen/dom0.ts';
import { listOf, recordedXl } from './recorded.ts';

const uuid = '11111111-2222-3333-4444-555555550001';
let root: string;
let dom0: Dom0;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sealift-dom0-'));
  dom0 = dom0At(root);
  await mkdir(dom0.autoFolder, { recursive: true });
  await mkdir(dom0.saveFolder, { recursive: true });
});
afterEach(() => rm(root, { recursive: true }));

async function write(file: string, text: string | Buffer): Promise<string> {
  const path = join(dom0.etcFolder, file);
  await writeFile(path, text);
  return path;
}

async function find(list: string, configs = 'list-l-none'): Promise<FoundVm[]> {
  await using xl = await recordedXl({ 'list -v': ['list'], 'list -l': [configs] }, { list });
  return await findVms(dom0, xl.toolstack);
}

describe('findVms', () => {
  test('finds a VM at rest with its disks and its autostart link', async () => {
    const path = await write(
      'web.cfg',
      `name="web-1"\nuuid="${uuid.toUpperCase()}"\nmemory=64\ndisk=["/srv/a,,xvda","/srv/b,,xvdb"]`,
    );
    await symlink(path, join(dom0.autoFolder, 'web.cfg'));
    const [vm, ...others] = await find(listOf());
    expect(others).toEqual([]);
    expect(vm).toMatchObject({
      name: 'web-1',
      uuid,
      state: 'stopped',
      configPath: path,
      problem: null,
      autostartPath: join(dom0.autoFolder, 'web.cfg'),
      savedImagePath: null,
      domid: null,
      memoryBytes: 64 * 2 ** 20,
      disks: [
        { vdev: 'xvda', target: '/srv/a' },
        { vdev: 'xvdb', target: '/srv/b' },
      ],
    });
  });

  test('takes state and disks of a running VM from Xen, and says when the file differs', async () => {
    await write('pv1.cfg', `name="pv1"\nuuid="${uuid}"\ndisk=["/dev/vg0/lok,,xvda"]`);
    await write('pvh1.cfg', `name="pvh1"\ndisk=["/dev/vg0/changed,,xvda"]`);
    const list = listOf(['pv1', 5, '-b----', uuid], ['pvh1', 9, '--p---', uuid.replace(/1$/, '2')]);
    const [pv, pvh] = await find(list, 'list-l-pv-pvh');
    expect(pv).toMatchObject({ name: 'pv1', state: 'running', domid: 5, problem: null, running: { c_info: { uuid } } });
    expect(pvh).toMatchObject({ state: 'paused', uuid: uuid.replace(/1$/, '2'), disks: [{ target: '/dev/vg0/lk2' }] });
    expect(pvh?.problem).toBe('the disks of its domain are not those of its configuration');
  });

  test('shows what does not fit instead of hiding it', async () => {
    await write('broken.cfg', 'name = "x\n');
    await write('nameless.cfg', 'memory = 1');
    await write('latin.cfg', Buffer.from([0x23, 0xe9, 0x0a]));
    await write('a.cfg', `name="a"\nuuid="${uuid}"`);
    await write('b.cfg', `name="b"\nuuid="${uuid}"`);
    await write('notes.txt', 'not a configuration');
    await symlink('/nonexistent', join(dom0.autoFolder, 'dangling'));
    const found = await find(listOf(['lost', 7, '-b----', uuid.replace(/1$/, '7')]));
    expect(Object.fromEntries(found.map((vm) => [vm.name, vm.problem]))).toEqual({
      broken: 'broken.cfg:1:8: a string does not end on its line',
      nameless: 'nameless.cfg names no VM',
      latin: 'latin.cfg cannot be read (ERR_ENCODING_INVALID_ENCODED_DATA)',
      a: 'its uuid is also that of another configuration or domain',
      b: 'its uuid is also that of another configuration or domain',
      lost: 'its domain has no configuration at rest',
    });
  });

  test('joins a domain that runs under another name by its uuid', async () => {
    await write('pv1.cfg', `name="pv1"\nuuid="${uuid}"`);
    const [vm, ...others] = await find(listOf(['pv8', 5, '-b----', uuid]));
    expect(others).toEqual([]);
    expect(vm).toMatchObject({
      name: 'pv1',
      domid: 5,
      state: 'running',
      problem: 'its domain runs under the name pv8',
    });
  });

  test('finds configurations that only xendomains knows', async () => {
    const elsewhere = join(root, 'elsewhere.cfg');
    await writeFile(elsewhere, 'name="far"');
    await symlink(elsewhere, join(dom0.autoFolder, '10-far'));
    const [vm] = await find(listOf());
    expect(vm).toMatchObject({ name: 'far', configPath: elsewhere, autostartPath: join(dom0.autoFolder, '10-far') });
  });

  test('joins saved images by what they hold, else by their name', async () => {
    await write('web.cfg', `name="web-1"\nuuid="${uuid}"`);
    await writeFile(join(dom0.saveFolder, 'oddly-named'), savedImage({ c_info: { name: 'old-name', uuid } }));
    await writeFile(join(dom0.saveFolder, 'db-1'), 'of unknown form');
    const found = await find(listOf());
    expect(found.map((vm) => [vm.name, vm.savedImagePath, vm.problem])).toEqual([
      ['web-1', join(dom0.saveFolder, 'oddly-named'), null],
      ['db-1', join(dom0.saveFolder, 'db-1'), 'its saved image has no configuration at rest'],
    ]);
  });

  test('finds nothing on a bare machine', async () => {
    await using xl = await recordedXl(
      { 'list -v': ['list-v-none'], 'list -l': ['list-l-none'] },
      { 'list-v-none': listOf() },
    );
    expect(await findVms(dom0At(join(root, 'nowhere')), xl.toolstack)).toEqual([]);
  });
});

/** The head of `xl save`'s file with a configuration in JSON, as "new xl format (info 0x3/0x0/…)". */
function savedImage(config: unknown): Buffer {
  const json = Buffer.from(`${JSON.stringify(config)}\0`);
  const head = Buffer.alloc(52);
  head.write('Xen saved domain, xl format\n \0 \r', 'latin1');
  head.writeUInt32LE(0x01020304, 32);
  head.writeUInt32LE(3, 36);
  head.writeUInt32LE(json.length + 4, 44);
  head.writeUInt32LE(json.length, 48);
  return Buffer.concat([head, json, Buffer.alloc(4096)]);
}
