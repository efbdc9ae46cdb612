import { randomBytes } from 'node:crypto';
import { mkdir, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { anyPort } from '../../../infra/free-port.ts';
import type { End } from '../end.ts';
import { peer } from './peer.ts';
import { lacksOf } from './ssh-server.ts';
import type { Way } from './way.ts';

const user = 'qemu';

/** `qemu-img convert` into a `qemu-nbd`, by TLS with a key that both have; both past the page cache. */
export const qemuNbd: Way = peer(
  'qemu-nbd-tls',
  () => lacksOf({ 'qemu-img': 'qemu-utils', 'qemu-nbd': 'qemu-utils' }),
  async ({ source, destination }) => {
    const key = randomBytes(32).toString('hex');
    const [here, there] = [await writeKey(source, key), await writeKey(destination, key)];
    return {
      carry: async ({ from, to, clock, signal }) => {
        const port = await anyPort();
        const { size } = await stat(from);
        await writeFile(to, '');
        await truncate(to, size);
        const serving = [
          ...['--object', `tls-creds-psk,id=tls,endpoint=server,dir=${there}`, '--tls-creds', 'tls'],
          ...['--format=raw', '--cache=none', '--aio=native', '--discard=unmap', '--detect-zeroes=off'],
          ...[`--bind=${destination.site.address}`, `--port=${String(port)}`, to],
        ];
        const server = await destination.serve('qemu-nbd', serving, port, signal);
        const into = {
          'file.driver': 'nbd',
          'file.host': destination.site.address,
          'file.port': String(port),
          'file.tls-creds': 'tls',
          driver: 'raw',
        };
        const target = Object.entries(into).map(([name, value]) => `${name}=${value}`);
        const sending = [
          'convert',
          ...['--object', `tls-creds-psk,id=tls,endpoint=client,dir=${here},username=${user}`],
          ...['-n', '-f', 'raw', '-T', 'none', '-m', '8', '-W', '--target-image-opts'],
          ...[from, target.join(',')],
        ];
        try {
          await clock.bytes('copy', () => source.run('qemu-img', sending, { signal }));
        } finally {
          await server.stop();
        }
      },
    };
  },
);

/** In a folder of its own, as qemu wants it. */
async function writeKey(end: End, key: string): Promise<string> {
  const folder = end.path('nbd');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(join(folder, 'keys.psk'), `${user}:${key}\n`, { mode: 0o600 });
  return folder;
}
