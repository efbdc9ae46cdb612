import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { XlRun } from './bench-host.ts';

/** A dom0 that a session with `xl` is gone through on. */
export interface XlSubject {
  /** Where `xl` runs and finds the files: `/root` in the recording. */
  readonly folder: string;
  /** An empty disk of that name, and one that is not there, as a configuration names them. */
  readonly disk: (name: string) => string;
  readonly kernel: string;
  readonly ramdisk: string;
  /** Path of `xl`. */
  readonly program: string;
  /** What of its output is its own, and what stands for it: on both sides of every comparison. */
  readonly own: readonly (readonly [RegExp, string])[];
  xl(...args: string[]): Promise<XlRun>;
  writeFile(name: string, content: Buffer): Promise<void>;
  /** Copies the first half of a file. */
  copyHalf(from: string, to: string): Promise<void>;
  /** Resolves when the guest obeys orders. */
  up(name: string): Promise<void>;
  end(): Promise<void>;
}

const recordings = join(import.meta.dirname, '../fixtures/xl');

/**
 * Goes through the session that was recorded on real Xen 4.17, command by command, and compares exit code, stdout and stderr with
 * what was recorded, up to domids, times, process ids and where the disks lie: the stand-in `xl` and the real one must both say the same.
 */
export function describeXl(make: () => Promise<XlSubject>, makeLimitMs?: number): void {
  let dom0: XlSubject;

  beforeAll(async () => {
    dom0 = await make();
    await configFile('pv1.cfg', { name: 'pv1', type: 'pv', vm: 1, disk: 'lok' });
    await configFile('pv9.cfg', { name: 'pv9', type: 'pv', vm: 9, disk: 'lok' });
    await configFile('pv7.cfg', { name: 'pv7', type: 'pv', vm: 1, disk: 'lok' });
    await configFile('pv8.cfg', { name: 'pv8', type: 'pv', vm: 1, disk: 'other' });
    await configFile('pvh1.cfg', { name: 'pvh1', type: 'pvh', vm: 2, disk: 'lk2' }, 'on_poweroff = "preserve"');
    await configFile('pvh3.cfg', { name: 'pvh3', type: 'pvh', vm: 3, disk: 'only1' });
    await dom0.writeFile('bad.cfg', Buffer.from('type = "pv"\nname = "bad"\nmemory =\n'));
    await dom0.writeFile('bad2.cfg', Buffer.from('name = "bad2"\nmemory = 96\n'));
  }, makeLimitMs);

  afterAll(() => dom0.end());

  async function configFile(
    file: string,
    { name, type, vm, disk }: { name: string; type: string; vm: number; disk: string },
    more = '',
  ): Promise<void> {
    const text = `name = "${name}"
uuid = "11111111-2222-3333-4444-55555555000${String(vm)}"
type = "${type}"
kernel = "${dom0.kernel}"
ramdisk = "${dom0.ramdisk}"
extra = "console=hvc0 quiet loglevel=4 mitigations=off nokaslr guestip=10.77.0.2${String(vm)}"
memory = 96
vcpus = 1
disk = [ "${dom0.disk(disk)},raw,xvda,w" ]
vif = [ "mac=00:16:3e:00:00:2${String(vm)},bridge=xenbr0" ]
${more}
`;
    await dom0.writeFile(file, Buffer.from(text));
  }

  const normal = (text: string): string => normalized(text, dom0);

  /** Runs recorded commands; a word in them that was of that session only, as a domid, is swapped for one of this. */
  async function replay(names: string[], swap: Record<string, string> = {}): Promise<void> {
    const [said, wanted] = [new Map<string, unknown>(), new Map<string, unknown>()];
    for (const name of names) {
      const real = recorded(name);
      const command = real.command.map((word) => swap[word] ?? word.replace(/^\/root\//, `${dom0.folder}/`));
      const { exitCode, stdout, stderr } = await dom0.xl(...command);
      said.set(name, { exitCode, stdout: normal(stdout), stderr: normal(stderr) });
      wanted.set(name, { exitCode: real.exitCode, stdout: normal(real.stdout), stderr: normal(real.stderr) });
    }
    expect(said).toEqual(wanted);
  }

  const replayAll = (...names: string[]): Promise<void> => replay(names);

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
      const { stdout, exitCode } = await dom0.xl(...recorded(name).command);
      const same = (text: string): string =>
        masked(text, dom0.own)
          .replaceAll(machine, '$1')
          .replaceAll(/^ +\d+:.*$/gm, '');
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
    expect((await dom0.xl('destroy', 'pv8')).exitCode).toBe(0);
    // Not recorded: the block script takes a domain with the same uuid for the same VM, and lets it have the disk too.
    const twin = { exitCode: 0, stdout: '', stderr: 'Parsing config from pv7.cfg\n' };
    expect(await dom0.xl('create', 'pv7.cfg')).toEqual(twin);
    expect((await dom0.xl('destroy', 'pv7')).exitCode).toBe(0);
    expect((await dom0.xl('domid', 'pv1')).stdout).toBe('1\n');
  });

  test('of a PVH domain that is paused, halted and preserved', async () => {
    await replayAll('create-pvh', 'list-pv-pvh', 'list-v-pv-pvh', 'list-l-pv-pvh', 'list-l-pvh-name');
    const domid = (await dom0.xl('domid', 'pvh1')).stdout.trim();
    await replay(['domname'], { '9': domid });
    await dom0.up('pvh1');
    await replayAll('network-list', 'vcpu-list', 'pause', 'list-paused', 'list-l-paused', 'pause-twice', 'unpause');
    await replayAll('unpause-running', 'shutdown-w-pvh-preserve', 'list-shutdown', 'list-l-shutdown');
    await replayAll('list-l-all-shutdown', 'shutdown-twice', 'destroy', 'destroy-twice');
  });

  test('of devices', async () => {
    await dom0.xl('create', 'pvh1.cfg');
    await dom0.up('pvh1');
    const { stdout } = await dom0.xl('block-list', 'pvh1');
    // The handle is the domid, which moves the columns when it has two digits on one side only.
    expect(normal(stdout).replace(/^(51712 0 {3})\d+ +/m, '$1N ')).toBe(
      normal(recorded('block-list').stdout).replace(/^(51712 0 {3})\d+ +/m, '$1N '),
    );
    await replayAll('shutdown-default');
    expect(await dom0.xl('destroy', 'pvh1')).toEqual({ exitCode: 0, stdout: '', stderr: '' });
  });

  test('of a domain whose memory goes to a receiver, or to one that is cut off', async () => {
    await dom0.xl('create', 'pvh1.cfg');
    await dom0.up('pvh1');
    const migrate = (...how: string[]): Promise<XlRun> => dom0.xl('migrate', '-s', '', 'pvh1', how.join('; '));
    const said = async (run: Promise<XlRun>): Promise<{ exitCode: number | undefined; lines: string[] }> => {
      const { exitCode, stderr } = await run;
      return { exitCode, lines: sorted(normal(stderr)) };
    };
    const flags = async (): Promise<string | undefined> =>
      /^pvh1 .* ([a-z-]{6}) +\d+\.\d/m
        .exec((await dom0.xl('list')).stdout)?.[1]
        ?.replace('b', '-')
        .replace('r', '-');

    const unreached = recorded('migrate-unknown-host');
    expect(await said(migrate('exit 255'))).toEqual({
      exitCode: 1,
      lines: sorted(normal(unreached.stderr)).filter((line) => !line.startsWith('ssh:')),
    });
    // The receiver's side takes all and says nothing; then it is gone.
    const deaf = await said(
      migrate("printf 'xl migration receiver ready, send binary domain data.\\n'", 'exec head -c 999 >&2'),
    );
    expect({ ...deaf, lines: deaf.lines.filter((line) => line.startsWith('Migration')) }).toEqual({
      exitCode: 1,
      lines: ['Migration failed, resuming at sender.'],
    });
    expect(await flags()).toBe('------');

    const went = recorded('migrate-pvh-ok');
    expect(await said(migrate(`exec ${dom0.program} migrate-receive -p`))).toEqual({
      exitCode: 0,
      lines: sorted(normal(went.stderr)),
    });
    expect(await flags()).toBe('--p---');
    expect((await dom0.xl('destroy', 'pvh1')).exitCode).toBe(0);
  });

  test('of a domain that is saved and restored', async () => {
    await dom0.up('pv1');
    await replayAll(
      'save-nodir',
      'save-pv',
      'list-after-save',
      'restore-pv',
      'list-after-restore',
      'list-l-after-restore',
    );
    await replayAll('restore-twice', 'save-c');
    await dom0.copyHalf('pv1.sav', 'trunc.sav');
    await replayAll('destroy-pv', 'restore-truncated', 'restore-p', 'list-restored-paused');
  });
}

/** Both ends of a migration write to one stream. */
function sorted(text: string): string[] {
  return text
    .replaceAll(/mfn \S+,/g, 'mfn F,')
    .replaceAll(/process \[\d+\]/g, 'process [P]')
    .replaceAll(/^libxl: debug: .*\n/gm, '')
    .split('\n')
    .sort();
}

function recorded(name: string): { command: string[]; exitCode: number; stdout: string; stderr: string } {
  const part = (end: string): string => readFileSync(join(recordings, `${name}.${end}`), 'utf8');
  // Some were recorded with a preparation before the `xl` itself.
  const command = (part('cmd').trim().split('; ').at(-1) ?? '').split(' ').slice(1);
  return { command, exitCode: Number(part('exit')), stdout: part('stdout'), stderr: part('stderr') };
}

/** What does not change from one session to the next. */
function normalized(text: string, { folder, own }: XlSubject): string {
  return masked(text, own)
    .replaceAll(`${folder}/`, '/')
    .replaceAll(/\/dev\/(vg0|lab|mapper)\/((vg0|lab)-)?/g, '/')
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

function masked(text: string, own: XlSubject['own']): string {
  return own.reduce((rest, [what, stands]) => rest.replaceAll(what, stands), text);
}
