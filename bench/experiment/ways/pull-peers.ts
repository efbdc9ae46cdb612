import { dirname, join } from 'node:path';
import { knownHostsPath } from '../../ssh-config.ts';
import type { Ground } from '../ground.ts';
import { peer } from './peer.ts';
import type { Errand } from './peer.ts';
import { lacksOfSsh, serveSsh } from './ssh-server.ts';
import type { SshServer } from './ssh-server.ts';
import type { Way } from './way.ts';

const streams = '16';

/** Programs that copy by several streams when they fetch: they run at the destination and ask an SSH server at the source. */
export const pullPeers: Way[] = [
  pulled('rclone', { rclone: 'rclone' }, ({ sshd }, { from, to }) => [
    'rclone',
    'copyto',
    // Its own configuration and cache: none.
    ...['--config', '/dev/null', '--no-check-dest', '--sftp-disable-hashcheck'],
    ...['--multi-thread-streams', streams, '--multi-thread-cutoff', '1M'],
    ...['--sftp-host', sshd.address, '--sftp-port', String(sshd.port), '--sftp-user', sshd.user],
    ...['--sftp-key-file', sshd.privateKeyPath, '--sftp-known-hosts-file', knownHostsPath(sshd)],
    ...[`:sftp:${from}`, to],
  ]),
  pulled('lftp', { lftp: 'lftp' }, ({ sshd, config }, { from, to }) => [
    'lftp',
    '-c',
    [
      `set sftp:connect-program "ssh -a -x -F ${config}"`,
      'set net:max-retries 1',
      `open -u ${sshd.user}, sftp://there`,
      `pget -n ${streams} ${from} -o ${to}`,
    ].join('; '),
  ]),
];

function pulled(
  name: 'rclone' | 'lftp',
  packageOf: Record<string, string>,
  words: (server: SshServer, errand: Errand) => string[],
): Way {
  return peer(
    name,
    () => lacksOfSsh(packageOf),
    async ({ source, destination }: Ground) => {
      const server = await serveSsh(source);
      const carry = async (errand: Errand): Promise<void> => {
        const [program = '', ...args] = words(server, errand);
        const env = { HOME: dirname(errand.to), XDG_CACHE_HOME: join(dirname(errand.to), 'cache') };
        await errand.clock.bytes('copy', () => destination.run(program, args, { signal: errand.signal, env }));
      };
      return { carry, stop: () => server.sshd.stop() };
    },
  );
}
