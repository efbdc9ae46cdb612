import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Dom0Access } from '../../dom0/access.ts';
import { localDom0 } from '../../dom0/local.ts';
import { sshDom0 } from '../../dom0/ssh-dom0.ts';
import { sshdMissing, startSshd } from '../../infra/lab/sshd.ts';
import type { LabSshd } from '../../infra/lab/sshd.ts';
import { until } from '../transport/world.ts';

let sshd: LabSshd | null = null;
let beside: Dom0Access | null = null;
beforeAll(async () => {
  if (sshdMissing !== null) return;
  sshd = await startSshd();
  beside = sshDom0({ ...sshd, owner: randomUUID() });
});
afterAll(async () => {
  beside?.leave();
  await sshd?.stop();
});

const ways: [name: string, at: () => Dom0Access][] = [
  ['on this machine', () => localDom0],
  ...(sshdMissing === null ? [['beside it', () => beside as Dom0Access] as [string, () => Dom0Access]] : []),
];

describe.each(ways)('a program %s', (_name, at) => {
  const start = (
    script: string,
    env: Record<string, string> = {},
    onLine?: (line: string) => void,
  ): ReturnType<Dom0Access['start']> =>
    at().start(['sh', '-c', script], { env, ...(onLine === undefined ? {} : { onLine }) });

  test('takes bytes and gives bytes, however many, and says how it ended', async () => {
    const lines: string[] = [];
    const program = await start('echo "$GREETING" >&2; cat; echo bye >&2; exit 3', { GREETING: 'hello' }, (line) =>
      lines.push(line),
    );
    const sent = randomBytes(3_000_000);
    program.stdin.end(sent);
    const pieces: Buffer[] = [];
    for await (const piece of program.stdout) pieces.push(piece as Buffer);
    expect(Buffer.concat(pieces).equals(sent)).toBe(true);
    expect(await program.ended).toEqual({ exitCode: 3, lost: false });
    expect([lines, program.stderr()]).toEqual([['hello', 'bye'], 'hello\nbye']);
  });

  test('is held back while nobody reads it', async () => {
    const program = await start('dd if=/dev/zero bs=1M count=64 2>/dev/null; echo written >&2', {});
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(program.stderr()).toBe('');
    program.stdout.resume();
    expect(await program.ended).toEqual({ exitCode: 0, lost: false });
    expect(program.stderr()).toBe('written');
  });

  test('hears the end of its input when that is given up, and says what is left to say', async () => {
    const program = await start('cat >/dev/null; echo over; exit 1');
    program.stdin.write('some');
    program.stdin.destroy();
    const [piece] = (await once(program.stdout, 'data')) as [Buffer];
    expect(piece.toString()).toBe('over\n');
    expect(await program.ended).toEqual({ exitCode: 1, lost: false });
  });

  test('goes on when it is left, and is stopped, continued and killed by its number', async () => {
    const mark = `sealift-test-${randomUUID()}`;
    const pids = async (): Promise<number[]> =>
      (await at().filesWith('/proc/[0-9]*/environ', `MARK=${mark}`)).map((path) => Number(path.split('/')[2]));
    const program = await start('cat >/dev/null; exec sleep 600', { MARK: mark });
    program.stdin.write('some');
    program.leave();
    let found: number[] = [];
    while (found.length === 0) found = await pids();
    const [pid = 0] = found;
    const state = async (): Promise<string> =>
      /^State:\s+(\w)/m.exec((await at().readFile(`/proc/${String(pid)}/status`)).toString())?.[1] ?? '';
    await at().signal([pid, 2 ** 22 - 7], 'SIGSTOP');
    expect(await state()).toBe('T');
    await at().signal([pid], 'SIGCONT');
    expect(await state()).toMatch(/[SR]/);
    await at().signal(await pids(), 'SIGKILL');
    for (let left = [pid]; left.length > 0;) left = await pids();
  });

  test('that is not there, has ended so', async () => {
    const program = await at().start(['no-such-program'], {});
    expect(await program.ended).toEqual({ exitCode: 127, lost: false });
  });
});

test('a program beside this machine loses its pipes with the line, and is told nothing else', async () => {
  if (sshd === null) return;
  const own = sshDom0({ ...sshd, owner: randomUUID() });
  const program = await own.start(['sh', '-c', 'cat >/dev/null; exec sleep 601'], { env: { MARK: 'of-a-lost-line' } });
  own.leave();
  expect(await program.ended).toEqual({ exitCode: null, lost: true });
  const found = async (): Promise<Map<string, string>> => localDom0.readEach('/proc/[0-9]*/cmdline');
  let sleeping: string | undefined;
  await until(() => {
    void found().then((all) => {
      sleeping = [...all].find(([, text]) => text === 'sleep\u0000601\u0000')?.[0];
    });
    return sleeping !== undefined;
  });
  await localDom0.signal([Number(sleeping?.split('/')[2])], 'SIGKILL');
});
