import { readFileSync } from 'node:fs';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { BenchHost } from './bench-host.ts';

/*
 * Goes through the session that was recorded on real Xen 4.17, command by command, and compares exit code, stdout and stderr with
 * what was recorded, up to domids, times, process ids and where the disks lie.
 */
const fixtures = join(import.meta.dirname, '../fixtures/xl');
let bench: BenchHost;

beforeAll(async () => {
  bench = await BenchHost.make({ hostName: 'xen1', memoryMib: 2047 });
  await configFile('pv1.cfg', { name: 'pv1', type: 'pv', vm: 1, disk: 'lok' });
  await configFile('pv9.cfg', { name: 'pv9', type: 'pv', vm: 1, disk: 'lok' });
  await configFile('pv8.cfg', { name: 'pv8', type: 'pv', vm: 1, disk: 'other' });
  await configFile('pvh1.cfg', { name: 'pvh1', type: 'pvh', vm: 2, disk: 'lk2' }, 'on_poweroff = "preserve"');
  await configFile('pvh3.cfg', { name: 'pvh3', type: 'pvh', vm: 3, disk: 'only1' });
  await writeFile(join(bench.folder, 'bad.cfg'), 'name = "bad"\nmemory =\n');
  await writeFile(join(bench.folder, 'bad2.cfg'), 'name = "bad2"\nmemory = 96\n');
  for (const disk of ['lok', 'other', 'lk2']) await writeFile(join(bench.folder, disk), Buffer.alloc(65_536));
});

afterAll(async () => {
  await bench.end();
});

async function configFile(
  file: string,
  { name, type, vm, disk }: { name: string; type: string; vm: number; disk: string },
  more = '',
): Promise<void> {
  const text = `name = "${name}"
uuid = "11111111-2222-3333-4444-55555555000${String(vm)}"
type = "${type}"
kernel = "/srv/guest/vmlinux"
ramdisk = "/srv/guest/guest.cpio"
extra = "console=hvc0 quiet loglevel=4 mitigations=off nokaslr guestip=10.77.0.2${String(vm)}"
memory = 96
vcpus = 1
disk = [ "${join(bench.folder, disk)},raw,xvda,w" ]
vif = [ "mac=00:16:3e:00:00:2${String(vm)},bridge=xenbr0" ]
${more}
`;
  await writeFile(join(bench.folder, file), text);
}

function recorded(name: string): { command: string[]; exitCode: number; stdout: string; stderr: string } {
  const part = (end: string): string => readFileSync(join(fixtures, `${name}.${end}`), 'utf8');
  // Some were recorded with a preparation before the `xl` itself.
  const command = (part('cmd').trim().split('; ').at(-1) ?? '').split(' ').slice(1);
  return { command, exitCode: Number(part('exit')), stdout: part('stdout'), stderr: part('stderr') };
}

function normal(text: string): string {
  return text
    .replaceAll(bench.folder, '')
    .replaceAll(/\/dev\/(vg0|mapper)\/(vg0-)?/g, '/')
    .replaceAll('/root/', '/')
    .replaceAll(/([Dd]omain) \d+/g, '$1 N')
    .replaceAll(
      /^(\S+ {2,})( *\d+)(.*?)( +\d+\.\d| +\d:\d\d:\d\d)(.*)$/gm,
      (_all, name: string, id: string, ...rest: string[]) =>
        [name, 'N'.padStart(id.length), rest[0], 'T'.padStart(rest[1]?.length ?? 0), rest[2]].join(''),
    )
    .replaceAll(/"domid": [1-9]\d?,/g, '"domid": N,')
    .replaceAll(/\/(vbd|vif)\/\d+\//g, '/$1/N/')
    .replaceAll(/add \[\d+\]/g, 'add [P]')
    .replaceAll(/0x3\/0x0\/\d+/g, '0x3/0x0/L');
}

/** Runs the recorded command; a domid in it, or the file of a saved image, is this session's. */
async function replay(name: string, swap: Record<string, string> = {}): Promise<void> {
  const real = recorded(name);
  const command = real.command.map((word) => swap[word] ?? word.replace(/^\/root\//, `${bench.folder}/`));
  const { exitCode, stdout, stderr } = await bench.xl(...command);
  expect([name, exitCode, normal(stdout), normal(stderr)]).toEqual([
    name,
    real.exitCode,
    normal(real.stdout),
    normal(real.stderr),
  ]);
}

async function replayAll(...names: string[]): Promise<void> {
  for (const name of names) await replay(name);
}

describe('says what real xl says', () => {
  test('of an empty host, of names nobody has, of configurations that are wrong', async () => {
    await replayAll('list-none', 'list-l-none', 'xl-unknown', 'list-absent', 'list-l-absent', 'domid-absent');
    await replayAll('domname-absent', 'destroy-absent-id', 'pause-absent', 'reboot-absent', 'save-absent');
    await replayAll('shutdown-absent', 'uptime-absent', 'vcpu-list-absent', 'restore-nofile', 'create-nofile');
    await replayAll('create-n-bad', 'create-n-nokernel', 'create-nokernel', 'create-n-pv', 'create-n-pvh');
  });

  test('of the host itself, field by field', async () => {
    const machine =
      /^(release|version|nr_cpus|max_cpu_id|cores_per_socket|cpu_mhz|free_memory|xen_commandline|cc_\w+|build_id) .*$/gm;
    for (const name of ['info', 'info-n']) {
      const { stdout, exitCode } = await bench.xl(...recorded(name).command);
      const same = (text: string): string => text.replaceAll(machine, '$1').replaceAll(/^ +\d+:.*$/gm, '');
      expect(exitCode).toBe(0);
      expect(same(stdout).replaceAll(/\n+/g, '\n')).toBe(same(recorded(name).stdout).replaceAll(/\n+/g, '\n'));
    }
  });

  test('of a PV domain, and of those that may not stand beside it', async () => {
    await replayAll(
      'create-pv',
      'create-twice',
      'list-pv',
      'list-l-pv',
      'list-l-pv-name',
      'create-same-disk-other-name',
    );
    await replayAll('create-lv-missing', 'create-same-uuid-other-name');
    expect((await bench.xl('destroy', 'pv8')).exitCode).toBe(0);
    expect((await bench.xl('domid', 'pv1')).stdout).toBe('1\n');
  });

  test('of a PVH domain that is paused, halted and preserved', async () => {
    await replayAll('create-pvh', 'list-pv-pvh', 'list-v-pv-pvh', 'list-l-pv-pvh', 'list-l-pvh-name');
    const { domid } = (await bench.list()).pvh1 ?? {};
    await replay('domname', { '9': String(domid) });
    await replayAll('network-list', 'vcpu-list', 'pause', 'list-paused', 'list-l-paused', 'pause-twice', 'unpause');
    await replayAll('unpause-running', 'shutdown-w-pvh-preserve', 'list-shutdown', 'list-l-shutdown');
    await replayAll('list-l-all-shutdown', 'shutdown-twice', 'destroy', 'destroy-twice');
  });

  test('of devices', async () => {
    await bench.xl('create', 'pvh1.cfg');
    const { stdout } = await bench.xl('block-list', 'pvh1');
    // The handle is the domid, which moves the columns when it has two digits on one side only.
    expect(normal(stdout).replace(/^(51712 0 {3})\d+ +/m, '$1N ')).toBe(
      normal(recorded('block-list').stdout).replace(/^(51712 0 {3})\d+ +/m, '$1N '),
    );
    await replay('shutdown-default');
    await bench.xl('destroy', 'pvh1');
  });

  test('of a domain that is saved and restored', async () => {
    await replayAll(
      'save-nodir',
      'save-pv',
      'list-after-save',
      'restore-pv',
      'list-after-restore',
      'list-l-after-restore',
    );
    await replayAll('restore-twice', 'save-c');
    const saved = await readFile(join(bench.folder, 'pv1.sav'));
    await copyFile(join(bench.folder, 'pv1.sav'), join(bench.folder, 'trunc.sav'));
    await writeFile(join(bench.folder, 'trunc.sav'), saved.subarray(0, saved.length - 1000));
    await replayAll('restore-truncated', 'destroy-pv', 'restore-p', 'list-restored-paused');
  });
});
