import { closeSync, constants, openSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { execa } from 'execa';
import type { Ground } from '../ground.ts';
import { writePassphrase } from './passphrase.ts';
import { peer } from './peer.ts';
import type { Errand } from './peer.ts';
import { lacksOfSsh, serveSsh } from './ssh-server.ts';
import type { Way } from './way.ts';

/** What is copied by a program that asks an SSH server at the destination. */
export const sshPeers: Way[] = [
  pushed('scp', { scp: 'openssh-client' }, (config, { from, to }) => ['scp', '-q', '-F', config, from, `there:${to}`]),
  peer(
    'sftp',
    () => lacksOfSsh({ sftp: 'openssh-client' }),
    async (ground) => {
      const { sshd, config } = await serveSsh(ground.destination);
      const batch = ground.source.path('sftp-batch');
      const carry = async ({ from, to, clock, signal }: Errand): Promise<void> => {
        await writeFile(batch, `put ${from} ${to}\n`);
        await clock.bytes('copy', () =>
          ground.source.run('sftp', ['-q', '-F', config, '-b', batch, 'there'], { signal }),
        );
      };
      return { carry, stop: () => sshd.stop() };
    },
  ),
  pushed('rsync', { rsync: 'rsync' }, (config, { from, to }) => [
    ...['rsync', '--whole-file', '--inplace', `--rsh=ssh -F ${config}`],
    ...[from, `there:${to}`],
  ]),
  peer('openssl-ssh', () => lacksOfSsh({ openssl: 'openssl' }), piped),
];

function pushed(
  name: 'scp' | 'rsync',
  packageOf: Record<string, string>,
  words: (config: string, errand: Errand) => string[],
): Way {
  return peer(
    name,
    () => lacksOfSsh(packageOf),
    async ({ source, destination }) => {
      const { sshd, config } = await serveSsh(destination);
      const carry = async (errand: Errand): Promise<void> => {
        const [program = '', ...args] = words(config, errand);
        await errand.clock.bytes('copy', () => source.run(program, args, { signal: errand.signal }));
      };
      return { carry, stop: () => sshd.stop() };
    },
  );
}

/** `openssl enc | ssh 'openssl enc -d'`: what a person types who wants it encrypted twice, and in one go. */
async function piped(ground: Ground): ReturnType<Parameters<typeof peer>[2]> {
  const { source, destination } = ground;
  const { sshd, config } = await serveSsh(destination);
  const [here, there] = await writePassphrase(ground);
  const cipher = ['enc', '-aes-256-ctr', '-pbkdf2'];
  const carry = async ({ from, to, clock, signal }: Errand): Promise<void> => {
    const open = ['openssl', ...cipher, '-d', '-pass', `file:${there}`, '-out', to].join(' ');
    const pipe = await openPipe(source.path('pipe'));
    const seal = [...cipher, '-pass', `file:${here}`, '-in', from, '-out', pipe.path];
    const over = new AbortController();
    const options = { signal: AbortSignal.any([signal, over.signal]) };
    try {
      await clock.bytes('copy', () =>
        Promise.all([
          source.run('openssl', seal, options).finally(pipe.end),
          source.run('ssh', ['-F', config, 'there', open], { ...options, stdin: pipe.reader }),
        ]),
      );
    } finally {
      // When one has failed, the other would wait for it.
      over.abort();
      closeSync(pipe.reader);
    }
  };
  return { carry, stop: () => sshd.stop() };
}

/** A pipe of the kernel from one program to the next, as a shell makes it, but with a name; it has an end for its reader once `end` was called. */
async function openPipe(path: string): Promise<{ path: string; reader: number; end: () => void }> {
  await rm(path, { force: true });
  await execa('mkfifo', [path]);
  // As long as somebody may write, opening does not wait and reading does not end.
  const writer = openSync(path, constants.O_RDWR);
  return { path, reader: openSync(path, constants.O_RDONLY), end: () => closeSync(writer) };
}
