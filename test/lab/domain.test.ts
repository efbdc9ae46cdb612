import { chmod, readFile, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { rebootLabHost } from '../../infra/lab/lab-host.ts';
import { startObserver } from '../../infra/lab/observer.ts';
import { checkRecords } from '../../infra/lab/records.ts';
import { BenchHost, eventually } from './bench-host.ts';

let bench: BenchHost;

beforeEach(async () => {
  bench = await BenchHost.make();
});

afterEach(async () => {
  await bench.end();
});

const isRoot = process.getuid?.() === 0;

async function pidHolding(path: string): Promise<number> {
  const { stdout } = await execa('find', ['/proc', '-maxdepth', '3', '-path', '/proc/[0-9]*/fd/*', '-lname', path], {
    reject: false,
  });
  return Number(/^\/proc\/(\d+)\//.exec(stdout)?.[1]);
}

async function lastRecord(disk: string): Promise<number> {
  return (await checkRecords(disk)).last;
}

describe('a domain', () => {
  test('holds its disks open without the rights that pass by file permissions, and writes', async () => {
    const vm = await bench.vm('web');
    expect((await bench.xl('create', vm.configPath)).exitCode).toBe(0);
    const pid = await pidHolding(vm.systemDisk);
    const status = await readFile(`/proc/${String(pid)}/status`, 'utf8');
    const rights = BigInt(`0x${/^CapEff:\s*(\w+)$/m.exec(status)?.[1] ?? 'f'}`);
    // CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_LINUX_IMMUTABLE
    expect(rights & 0b10_0000_1110n).toBe(0n);
    expect(await pidHolding(vm.dataDisk)).toBe(pid);
    await eventually('ten records', async () => (await lastRecord(vm.dataDisk)) > 10);
    expect((await checkRecords(vm.dataDisk)).problems).toEqual([]);
  });

  test('writes nothing while it is paused, and goes on after', async () => {
    const vm = await bench.vm('web');
    await bench.xl('create', '-p', vm.configPath);
    expect((await bench.list()).web?.state).toBe('--p---');
    expect((await checkRecords(vm.dataDisk)).last).toBe(0);
    await bench.xl('unpause', 'web');
    await eventually('records', async () => (await lastRecord(vm.dataDisk)) > 3);
    await bench.xl('pause', 'web');
    const paused = await lastRecord(vm.dataDisk);
    await bench.xl('list');
    expect(await lastRecord(vm.dataDisk)).toBe(paused);
    await bench.xl('unpause', 'web');
    await eventually('more records', async () => (await lastRecord(vm.dataDisk)) > paused);
  });

  test('goes on behind its last record over halts, restarts, destroys and saves', async () => {
    const vm = await bench.vm('web');
    await bench.xl('create', vm.configPath);
    await bench.xl('shutdown', '-w', '-w', 'web');
    expect(await bench.list()).not.toHaveProperty('web');
    await bench.xl('create', vm.configPath);
    const { domid } = (await bench.list()).web ?? {};
    await bench.xl('reboot', 'web');
    await eventually('a new domid', async () => ((await bench.list()).web?.domid ?? 0) > (domid ?? 0));
    await eventually('a third boot', async () => (await checkRecords(vm.dataDisk)).boots.length === 3);
    await bench.xl('save', 'web', join(bench.folder, 'web.save'));
    await bench.xl('restore', join(bench.folder, 'web.save'));
    await bench.xl('destroy', 'web');
    const { boots, problems } = await checkRecords(vm.dataDisk);
    expect(problems).toEqual([]);
    expect(boots.map(({ halted }) => halted)).toEqual([true, true, false]);
  });

  test('of an old saved image doubles writes, and the records tell', async () => {
    const vm = await bench.vm('web');
    await bench.xl('create', vm.configPath);
    await bench.xl('save', '-c', 'web', join(bench.folder, 'old.save'));
    const saved = await lastRecord(vm.dataDisk);
    await eventually('records after the save', async () => (await lastRecord(vm.dataDisk)) > saved + 20);
    await bench.xl('destroy', 'web');
    await bench.xl('restore', join(bench.folder, 'old.save'));
    await eventually('a record that was there already', async () =>
      (await checkRecords(vm.dataDisk)).problems.some((problem) => problem.includes('was written twice')),
    );
  });

  test('that was preserved keeps its disks; by a restart it comes back', async () => {
    const vm = await bench.vm('kept', 'on_poweroff = "preserve"');
    await bench.xl('create', vm.configPath);
    await bench.xl('shutdown', '-w', 'kept');
    expect((await bench.list()).kept?.state).toBe('---s--');
    expect(await pidHolding(vm.dataDisk)).toBeGreaterThan(0);
    const back = await bench.vm('back', 'on_poweroff = "restart"');
    await bench.xl('create', back.configPath);
    const { domid = 0 } = (await bench.list()).back ?? {};
    await bench.xl('shutdown', '-w', '-w', 'back');
    await eventually('it is back', async () => ((await bench.list()).back?.domid ?? 0) > domid);
  });

  test('shows as dying for a while, when its name is soon gone', async () => {
    const slow = await BenchHost.make({ dyingMs: 3_000 });
    try {
      const vm = await slow.vm('web');
      await slow.xl('create', vm.configPath);
      await slow.xl('shutdown', 'web');
      await eventually('dying', async () => (await slow.list()).web?.state === '--ps--');
      await eventually('nameless', async () => (await slow.xl('list', '-l', 'web')).exitCode === 1);
      await eventually('gone', async () => (await slow.list()).web === undefined);
    } finally {
      await slow.end();
    }
  });
});

describe('a disk', () => {
  test('of another domain is refused, unless w! says not to look; readers share', async () => {
    const vm = await bench.vm('first');
    await bench.xl('create', vm.configPath);
    const other = async (name: string, disk: string): Promise<number | undefined> => {
      const file = join(bench.folder, `${name}.cfg`);
      await writeFile(file, `name = "${name}"\ntype = "hvm"\nmemory = 32\ndisk = [ "${disk}" ]\n`);
      return (await bench.xl('create', '-q', file)).exitCode;
    };
    const link = join(bench.folder, 'link.raw');
    await symlink(vm.systemDisk, link);
    expect(await other('writer', `${link},raw,xvda,w`)).toBe(3);
    expect(await other('reader', `${vm.systemDisk},raw,xvda,r`)).toBe(3);
    expect(await other('careless', `${vm.systemDisk},raw,xvda,w!`)).toBe(0);
    const shared = join(bench.folder, 'shared.iso');
    await writeFile(shared, Buffer.alloc(4096));
    await chmod(shared, 0o444);
    expect(await other('reader1', `${shared},raw,xvda,r`)).toBe(0);
    expect(await other('reader2', `${shared},raw,xvda,r`)).toBe(0);
    expect(await other('writer2', `${shared},raw,xvda,w`)).toBe(3);
  });

  test('whose permission bits refuse writers is refused, also after a reboot', async () => {
    const vm = await bench.vm('web', '', true);
    await chmod(vm.dataDisk, 0o444);
    const { exitCode, stderr } = await bench.xl('create', '-q', vm.configPath);
    expect(exitCode).toBe(3);
    expect(stderr).toMatch(`script: losetup /dev/loop1 ${vm.dataDisk} failed`);
    expect(stderr).toMatch('unable to add disk devices');
    const { started, failed } = await rebootLabHost(bench.host.root);
    expect([started, failed.length]).toEqual([[], 1]);
    await chmod(vm.dataDisk, 0o644);
    expect((await rebootLabHost(bench.host.root)).started).toHaveLength(1);
  });

  (isRoot ? test : test.skip)('that is immutable is refused, also after a reboot (needs root and chattr)', async () => {
    const vm = await bench.vm('web', '', true);
    const set = await execa('chattr', ['+i', vm.systemDisk], { reject: false });
    if (set.exitCode !== 0) return;
    try {
      expect((await bench.xl('create', '-q', vm.configPath)).exitCode).toBe(3);
      expect((await rebootLabHost(bench.host.root)).started).toEqual([]);
      expect(await bench.list()).not.toHaveProperty('web');
    } finally {
      await execa('chattr', ['-i', vm.systemDisk]);
    }
  });

  test('that holds something else is left alone', async () => {
    const vm = await bench.vm('web');
    await writeFile(vm.dataDisk, Buffer.alloc(256 * 1024, 7));
    await bench.xl('create', vm.configPath);
    await bench.xl('shutdown', '-w', '-w', 'web');
    expect((await readFile(vm.dataDisk)).every((byte) => byte === 7)).toBe(true);
  });

  test('that is the only one takes records in its last MiB', async () => {
    const disk = join(bench.folder, 'only.raw');
    await writeFile(disk, Buffer.alloc(3 * 1024 * 1024));
    await truncate(disk, 3 * 1024 * 1024 + 1536);
    const file = join(bench.folder, 'only.cfg');
    await writeFile(file, `name = "only"\ntype = "hvm"\nmemory = 32\ndisk = [ "${disk},raw,xvda,w" ]\n`);
    await bench.xl('create', file);
    await bench.xl('shutdown', '-w', '-w', 'only');
    expect(await checkRecords(disk)).toMatchObject({ first: 1, problems: [] });
    expect((await readFile(disk)).subarray(0, 2 * 1024 * 1024).every((byte) => byte === 0)).toBe(true);
  });
});

describe('a reboot of the host', () => {
  test('restores saved images, then starts the links of auto by name, and begins domids anew', async () => {
    const [saved, b, a] = [await bench.vm('saved'), await bench.vm('b', '', true), await bench.vm('a', '', true)];
    for (const { configPath } of [saved, b]) await bench.xl('create', configPath);
    const image = join(bench.host.saveFolder, 'saved');
    await bench.xl('save', 'saved', image);
    const { started, failed } = await rebootLabHost(bench.host.root);
    expect(failed).toEqual([]);
    expect(started).toEqual([image, a.autostartPath, b.autostartPath]);
    const rows = await bench.list();
    expect([rows.saved?.domid, rows.a?.domid, rows.b?.domid]).toEqual([1, 2, 3]);
    expect((await rebootLabHost(bench.host.root)).started).toEqual([a.autostartPath, b.autostartPath]);
    expect((await checkRecords(saved.dataDisk)).problems).toEqual([]);
  });
});

describe('an observer', () => {
  test('is told of every domain before its disks are open, and of doubles on two hosts', async () => {
    const observer = await startObserver(join(bench.folder, 'observer'));
    const [one, two] = [
      await BenchHost.make({ observer: observer.path }),
      await BenchHost.make({ observer: observer.path }),
    ];
    try {
      const uuid = '11111111-2222-3333-4444-555555550001';
      const vms = await Promise.all([one, two].map((host) => host.vm('web', `uuid = "${uuid}"`)));
      await one.xl('create', vms[0]?.configPath ?? '');
      expect(observer.living(uuid)).toMatchObject([{ name: 'web', root: one.host.root, domid: 1 }]);
      await one.xl('destroy', 'web');
      await one.xl('create', vms[0]?.configPath ?? '');
      expect(observer.doubles).toEqual([]);
      await two.xl('create', vms[1]?.configPath ?? '');
      expect(observer.doubles).toHaveLength(1);
      await observer.close();
      await two.xl('destroy', 'web');
      expect((await two.xl('create', vms[1]?.configPath ?? '')).exitCode).toBe(3);
    } finally {
      await one.end();
      await two.end();
    }
  });
});
