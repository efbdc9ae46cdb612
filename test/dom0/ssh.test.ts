import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Dom0Access } from '../../dom0/access.ts';
import { localDom0 } from '../../dom0/local.ts';
import { sshDom0 } from '../../dom0/ssh-dom0.ts';
import { programCommand, shellCommand } from '../../dom0/ssh-command.ts';
import type { SshServer } from '../../dom0/ssh.ts';
import { startSshd, sshdMissing } from '../../infra/lab/sshd.ts';
import type { LabSshd } from '../../infra/lab/sshd.ts';
import { bytesOnly, startProxy } from '../transport/proxy.ts';

/** What other tests begin at the same time is not theirs. */
const owner = randomUUID();
const withSshd = sshdMissing === null ? describe : describe.skip;

withSshd(`a dom0 beside the worker${sshdMissing === null ? '' : ` (skipped: ${sshdMissing})`}`, () => {
  let sshd: LabSshd;
  let folder: string;
  const entered: Dom0Access[] = [];
  const enter = (server: SshServer): Dom0Access => {
    const dom0 = sshDom0({ ...server, owner });
    entered.push(dom0);
    return dom0;
  };
  beforeAll(async () => {
    sshd = await startSshd();
    folder = await mkdtemp(join(tmpdir(), 'sealift-beside-'));
  });
  afterEach(() => {
    for (const dom0 of entered.splice(0)) dom0.leave();
  });
  afterAll(async () => {
    await sshd.stop();
    await rm(folder, { recursive: true, force: true });
  });

  test('is understood also when its shells print whatever they like', async () => {
    await writeFile(join(sshd.folder, '.bashrc'), 'echo "Welcome. sealift-"; printf "no newline" >&2\n');
    try {
      const dom0 = enter(sshd);
      expect(await dom0.run(['echo', 'said'], { limitMs: 5_000 })).toMatchObject({ stdout: 'said', stderr: '' });
      await writeFile(join(folder, 'file'), 'content');
      expect((await dom0.readFile(join(folder, 'file'))).toString()).toBe('content');
      await expect(dom0.readFile(join(folder, 'none'))).rejects.toMatchObject({ code: 'ENOENT' });
    } finally {
      await rm(join(sshd.folder, '.bashrc'));
    }
  });

  test('is not entered when it shows another key, or does not take ours, or is not there', async () => {
    const other = await startSshd();
    try {
      const away = { type: 'dom0-away' };
      await expect(enter({ ...sshd, hostKey: other.hostKey }).stat('/')).rejects.toMatchObject({
        ...away,
        message: expect.stringContaining('shows another host key than the pinned one') as unknown,
      });
      await expect(enter({ ...sshd, privateKeyPath: other.privateKeyPath }).stat('/')).rejects.toMatchObject(away);
      await other.kill();
      await expect(enter(other).stat('/')).rejects.toMatchObject(away);
    } finally {
      await other.stop();
    }
  });

  test('is entered anew when the connection was lost between two questions', async () => {
    const dom0 = enter(sshd);
    await dom0.stat('/');
    await sshd.kill();
    await sshd.start();
    expect(await dom0.stat('/')).toMatchObject({ kind: 'folder' });
  });

  test('does not tell how a program ended whose connection was lost, and the program goes on', async () => {
    const dom0 = enter(sshd);
    const line = await startProxy(sshd.port, undefined, bytesOnly);
    try {
      const cut = enter({ ...sshd, port: line.port });
      const begun = join(folder, 'begun');
      const gone = join(folder, 'gone-on');
      const script = `touch '${begun}'; while [ ! -e '${join(folder, 'go')}' ]; do sleep 0.1; done; touch '${gone}'`;
      const running = cut.run(['sh', '-c', script], { limitMs: 20_000 });
      const failed = expect(running).rejects.toMatchObject({ type: 'dom0-away' });
      expect(await until(10_000, () => there(dom0, begun))).toBe(true);
      line.cut();
      await failed;
      expect(await cut.stat('/')).toMatchObject({ kind: 'folder' });
      await writeFile(join(folder, 'go'), '');
      expect(await until(10_000, () => there(dom0, gone))).toBe(true);
    } finally {
      await line.close();
    }
  });

  test('gives up a connection on which nothing comes any more, and enters by the next', async () => {
    const line = await startProxy(sshd.port, undefined, bytesOnly);
    try {
      const dom0 = enter({ ...sshd, port: line.port });
      await dom0.stat('/');
      line.stall('both');
      await expect(dom0.stat('/')).rejects.toMatchObject({ type: 'dom0-away' });
      expect(await dom0.stat('/')).toMatchObject({ kind: 'folder' });
    } finally {
      await line.close();
    }
  }, 60_000);

  test('has nothing of a write under way that was given up, nor of one that an earlier process has left', async () => {
    const line = await startProxy(sshd.port, undefined, bytesOnly);
    const path = join(folder, 'disk');
    await writeFile(path, Buffer.alloc(8 * 1024 * 1024));
    const writers = async (): Promise<number> =>
      (await localDom0.filesWith('/proc/[0-9]*/cmdline', `of=${path}`)).length;
    try {
      const dom0 = enter({ ...sshd, port: line.port });
      const file = await dom0.open(path, 'write');
      const chunk = Buffer.alloc(4 * 1024 * 1024, 7);
      // Nothing more of what is sent comes there, but the connections stay.
      const before = line.sentBytes;
      line.onFrame = ({ bytes }) => {
        if (line.sentBytes > before + 500_000) line.stall('forth');
        return [bytes];
      };
      const written = expect(file.write(chunk, 0, chunk.length, 0)).rejects.toMatchObject({ type: 'dom0-away' });
      expect(await until(10_000, async () => (await writers()) > 0)).toBe(true);
      const later = enter(sshd);
      await later.settle();
      expect(await writers()).toBe(0);
      line.onFrame = ({ bytes }) => [bytes];
      await written;
      expect(await writers()).toBe(0);
    } finally {
      await line.close();
    }
  }, 60_000);

  test('answers more questions at a time than a server has sessions', async () => {
    const dom0 = enter(sshd);
    const all = await Promise.all(Array.from({ length: 60 }, () => dom0.readFile('/proc/self/stat')));
    expect(new Set(all.map((bytes) => bytes.toString().split(' ')[0])).size).toBe(60);
  });

  test('is worked on as root, by sudo where the user is another one', () => {
    const ask = { mark: 'mark', env: { A: "b 'c'" }, limitMs: 1_500, gently: false };
    const own = programCommand(['xl', 'list'], { ...ask, user: 'root' });
    expect(own).toMatch(/ mark timeout -s KILL 1\.5 env 'A=b '\\''c'\\''' LC_ALL=C xl list$/);
    const sudo = 'exec sudo -n -- env "PATH=$PATH" ';
    expect(programCommand(['xl', 'list'], { ...ask, user: 'admin' })).toBe(own.replace('exec ', sudo));
    const env = { A: 'b' };
    expect(shellCommand({ user: 'admin', env })).toBe(shellCommand({ user: 'root', env }).replace('exec ', sudo));
  });
});

async function until(limitMs: number, holds: () => Promise<boolean>): Promise<boolean> {
  const end = performance.now() + limitMs;
  while (performance.now() < end) {
    if (await holds()) return true;
    await turn();
  }
  return false;
}

async function there(dom0: Dom0Access, path: string): Promise<boolean> {
  return dom0.stat(path).then(
    () => true,
    () => false,
  );
}
