import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writePassphrase } from './passphrase.ts';
import { peer } from './peer.ts';
import { lacksOfSsh, serveSsh } from './ssh-server.ts';
import type { Way } from './way.ts';

/** `restic backup` into a new repository at the destination, by SFTP, and `restic restore` there. It leaves out what occurs twice, and compresses. */
export const restic: Way = peer(
  'restic',
  () => lacksOfSsh({ restic: 'restic' }),
  async (ground) => {
    const { source, destination } = ground;
    const { sshd, config } = await serveSsh(destination);
    const [here, there] = await writePassphrase(ground);
    const [repository, restored] = [destination.path('restic'), destination.path('restored')];
    const far = ['--no-cache', '-q', '-p', here, '-r', `sftp:there:${repository}`];
    const client = ['-o', `sftp.command=ssh -F ${config} there -s sftp`];
    return {
      carry: async ({ from, to, clock, signal }) => {
        for (const path of [repository, restored]) await rm(path, { recursive: true, force: true });
        await source.run('restic', [...far, ...client, 'init'], { signal });
        await clock.bytes('copy', () => source.run('restic', [...far, ...client, 'backup', from], { signal }));
        const near = ['--no-cache', '-q', '-p', there, '-r', repository];
        const restore = [...near, 'restore', 'latest', '--target', restored];
        await clock.bytes('decrypt', () => destination.run('restic', restore, { signal }));
        await clock.outside(() => rename(join(restored, from), to));
      },
      stop: () => sshd.stop(),
    };
  },
);
