import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { anyPort } from '../../infra/free-port.ts';
import type { XenHost } from '../../infra/lab/xen/host.ts';
import { poolPath } from '../../infra/lab/xen/host-worker.ts';
import { bringUpXenLab } from '../../infra/lab/xen/lab.ts';
import type { XenLab } from '../../infra/lab/xen/lab.ts';
import { startGuest } from '../../infra/lab/xen/lab-guest.ts';
import { findServerBinary } from '../../infra/temporal/server-binary.ts';
import { testCache } from '../support/cache.ts';
import { documents, root } from '../docs/markdown.ts';
import { able } from './able.ts';
import { atEnd } from './at-end.ts';

able('docs/xen.md on the laboratory', () => {
  let lab: XenLab;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sealift-first-move-'));
    atEnd(() => rm(folder, { recursive: true, force: true }));
    lab = await bringUpXenLab();
    atEnd(() => lab.down());
  }, 900_000);

  test('tells all commands from two hosts with nothing on them to a move there and back', async () => {
    const hosts: Record<string, XenHost> = { 'lon-1': lab.hosts[0], 'fra-1': lab.hosts[1] };
    await lab.hosts[0].run(['mkdir', '-p', poolPath]);
    const disk = `${poolPath}/web-1.raw`;
    await lab.hosts[0].run(['truncate', '--size', '16M', disk]);
    await lab.hosts[0].run(['mkfs.ext4', '-q', disk]);
    await startGuest(lab.hosts[0], { name: 'web-1', type: 'pvh', disk });
    const control = await makeControl(lab, folder);

    for (const { at, line } of commands()) {
      const host = hosts[at];
      if (host !== undefined) await host.run(['sh', '-c', line]);
      // The checkout that the tests are in has it behind it.
      else if (line !== 'npm ci') await control.type(line);
    }
    expect(await lab.hosts[0].run(['xl', 'list'])).toMatch(/^web-1 /m);
    expect(await lab.hosts[1].run(['xl', 'list'])).not.toMatch(/^web-1 /m);
  }, 900_000);
});

/** The lines with a prompt. */
function commands(): { at: string; line: string }[] {
  const { blocks } = documents().find(({ path }) => path === 'docs/xen.md')!;
  return blocks
    .filter(({ language }) => language === 'console')
    .flatMap(({ text }) => [...text.matchAll(/^([\w-]+)# (.+)$/gm)].map(([, at = '', line = '']) => ({ at, line })));
}

/** This machine in the place of `control`, with folders of its own where the document says /etc and /var. */
async function makeControl(lab: XenLab, folder: string): Promise<{ type(line: string): Promise<void> }> {
  const [lon, fra] = lab.hosts;
  const bin = join(folder, 'bin');
  await execa('mkdir', [bin]);
  await symlink(join(root, 'sealift'), join(folder, 'sealift'));
  const login = ['-i', lon.ssh.privateKeyPath, '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null'];
  await writeFile(join(bin, 'ssh'), `#!/bin/sh\nexec /usr/bin/ssh -q ${login.join(' ')} "$@"\n`, { mode: 0o755 });
  const ports = { temporal: await anyPort(), lon: await anyPort(), fra: await anyPort() };
  const env = {
    PATH: `${bin}:${process.env.PATH ?? ''}`,
    TEMPORAL_ADDRESS: `127.0.0.1:${String(ports.temporal)}`,
    // It is fetched else, from wherever this machine can.
    SEALIFT_TEMPORAL_CLI: (await findServerBinary(testCache)).path,
  };
  const identities: Record<string, string> = {};
  const here = (line: string): string =>
    Object.entries({
      '/etc/sealift': join(folder, 'etc'),
      '/var/lib/sealift': join(folder, 'state'),
      '192.0.2.10:7410': `${lab.outsideAddress}:${String(ports.lon)}`,
      '192.0.2.10:7411': `${lab.outsideAddress}:${String(ports.fra)}`,
      '192.0.2.1': lon.address,
      '192.0.2.2': fra.address,
      '/boot/vmlinuz-domu': '/opt/lab/vmlinux',
      '/boot/initrd-domu': '/opt/lab/guest-initramfs',
      // An emulated processor on a busy machine.
      'default_bridge = "xenbr0"\\n': 'default_bridge = "xenbr0"\\nlimit_seconds = 150\\n',
      'sealift up': `sealift up --port ${String(ports.temporal)}`,
      ...identities,
    }).reduce((text, [from, to]) => text.replaceAll(from, to), line);

  return {
    async type(line) {
      if (line.includes(' up ')) {
        await stayUp(here(line), { cwd: folder, env });
        return;
      }
      const { exitCode, all } = await execa('sh', ['-c', here(line)], { cwd: folder, env, all: true, reject: false });
      // What the machine lacks is said, not needed.
      if (!line.endsWith(' doctor')) expect([line, exitCode, all]).toEqual([line, 0, expect.anything()]);
      const [, name = ''] = /host show --file \/etc\/sealift\/(.+)\.toml/.exec(line) ?? [];
      if (name === '') return;
      const identity = /identity +(ed25519:\S+)/.exec(all)?.[1] ?? '';
      const letter = name[0]?.toUpperCase() ?? '';
      identities[`ed25519:${letter.repeat(42)}A`] = identity;
    },
  };
}

/** Until the test ends; resolves when all of it is up. */
async function stayUp(line: string, options: { cwd: string; env: Record<string, string> }): Promise<void> {
  const up = execa('sh', ['-c', `exec ${line}`], { ...options, all: true, reject: false, forceKillAfterDelay: 20_000 });
  atEnd(async () => {
    up.kill('SIGINT');
    await up;
  });
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  let said = '';
  up.all.on('data', (piece: Buffer) => {
    said += piece.toString();
    if (said.includes('Ctrl-C')) resolve(undefined);
  });
  void up.then(() => {
    reject(new Error(`sealift up ended: ${said}`));
  });
  await promise;
}
