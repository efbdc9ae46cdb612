import { chmod, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { TunnelWatch } from '../../../transport/ipsec/tunnel-watch.ts';
import { confirmation, event, packets, response } from './packets.ts';

const MiB = 1024 * 1024;
const run = `${'1'.repeat(32)}/2`;
const name = `sealift-source-${'1'.repeat(32)}-2`;
const path = process.env.PATH;

describe('the watch over a tunnel', () => {
  let folder: string;
  let server: Server;
  /** What strongSwan says of its SAs: bytes by SPI. */
  let carried: Record<string, number>;
  let over: AbortController;
  beforeEach(async () => {
    over = new AbortController();
    folder = await mkdtemp(join(tmpdir(), 'sealift-watch-'));
    await leads('dev ipsec0');
    await writeFile(join(folder, 'ip'), `#!/bin/sh\ncat ${folder}/way\n`);
    await chmod(join(folder, 'ip'), 0o755);
    process.env.PATH = `${folder}:${String(path)}`;
    server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (asked) => {
        socket.write(asked[4] === 3 ? packets(confirmation) : packets(listed(), response()));
      });
    });
    server.listen(join(folder, 'vici'));
    await once(server, 'listening');
  });
  afterEach(async () => {
    over.abort();
    process.env.PATH = path;
    server.close();
    await rm(folder, { recursive: true });
  });

  /** By which way the stand-in of ip(8) says that everything is reached. */
  async function leads(way: string): Promise<void> {
    const told = join(folder, 'way');
    await writeFile(`${told}.new`, `fd5e:a11f::2 ${way}\n`);
    // It may be read meanwhile.
    await rename(`${told}.new`, told);
  }

  function listed(): Buffer {
    const children = Object.fromEntries(
      Object.entries(carried).map(([spi, bytes]) => [
        spi,
        {
          state: 'INSTALLED',
          'spi-out': spi,
          'encr-alg': 'AES_GCM_16',
          'encr-keysize': '256',
          'packets-in': '1',
          'bytes-out': String(bytes),
        },
      ]),
    );
    return event('list-sa', { [name]: { state: 'ESTABLISHED', 'child-sas': children } });
  }

  async function watch(given: () => { bytes: number; connections: number }): Promise<void> {
    const begun = await TunnelWatch.begin({ run, role: 'source', vici: join(folder, 'vici'), esp: 'aes256gcm16' });
    await begun.run(given, over.signal);
  }

  test('ends when strongSwan does not count what is sent', async () => {
    carried = { one: 5 * MiB };
    let bytes = 0;
    await expect(watch(() => ({ bytes: (bytes += 200 * MiB), connections: 1 }))).rejects.toMatchObject({
      type: 'tunnel-leaks',
      message: expect.stringMatching(/0 went through the tunnel/),
    });
  });

  test('ends when the way is another one, or the SA is gone', async () => {
    carried = { one: 0 };
    const looks: (() => Promise<void> | undefined)[] = [() => leads('dev eth0')];
    const rerouted = watch(() => {
      void looks.shift()?.();
      return { bytes: 0, connections: 1 };
    });
    await expect(rerouted).rejects.toMatchObject({ type: 'tunnel-leaks', message: expect.stringMatching(/eth0/) });
    await leads('dev ipsec0');
    const gone = watch(() => {
      carried = {};
      return { bytes: 0, connections: 1 };
    });
    await expect(gone).rejects.toMatchObject({ type: 'tunnel-down' });
  });

  test('lets go on what is counted, by an SA that takes the place of another too, and what the kernel may hold back', async () => {
    carried = { one: 7 * MiB };
    let looks = 0;
    const watched = watch(() => {
      looks += 1;
      // 100 MiB more each time: by the first SA, by both, by the second alone.
      if (looks === 1) carried = { one: 107 * MiB };
      if (looks === 2) carried = { one: 107 * MiB, two: 100 * MiB };
      if (looks === 3) carried = { two: 200 * MiB };
      if (looks === 3) over.abort();
      return { bytes: looks * 100 * MiB + 10 * MiB, connections: 1 };
    });
    await expect(watched).resolves.toBeUndefined();
    expect(looks).toBe(3);
  });
});
