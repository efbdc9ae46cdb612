import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect as connectTcp, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '../../../client/index.ts';
import type { Sealift } from '../../../client/index.ts';
import { createIdentity } from '../../../deed/identity.ts';
import { parseHostFile, printHostFile } from '../../../domain/host-file.ts';
import type { ContainerServer } from '../../../domain/host-file.ts';
import { startChild } from '../../child.ts';
import type { XenHost } from './host.ts';
import type { XenLab } from './lab.ts';
import { findServerBinary } from '../../temporal/server-binary.ts';
import { startServer } from '../../temporal/server.ts';
import type { TemporalServer } from '../../temporal/server.ts';
import { hostProcess } from '../../../workers/host-process.ts';
import { until } from './until.ts';

export const poolPath = '/srv/sealift/pool';
const arrivedPath = '/srv/sealift/incoming';
const madePath = '/srv/sealift/outgoing';
const sshKeyPath = '/etc/sealift/ssh.key';
const statePath = '/var/lib/sealift';
const hostFilePath = '/etc/sealift/host.toml';
const logPath = '/var/log/sealift.log';
const readyLimitMs = 600_000;

/** Sealift as in the field: Temporal and the control worker on this machine, the bundled host worker in each dom0 of a lab. */
export interface SealiftOnXen {
  sealift: Sealift;
  server: TemporalServer;
  /** Starts the worker of a host that has been switched on again, and waits until it is ready. */
  startWorker(host: XenHost): Promise<void>;
  close(): Promise<void>;
}

/** `cacheFolder`: where Temporal's server and the workflows' bundle are kept. Without `withUi` there is no Web UI. */
export async function startSealiftOnXen(
  lab: XenLab,
  { cacheFolder, withUi = false }: { cacheFolder: string; withUi?: boolean },
): Promise<SealiftOnXen> {
  const folder = await mkdtemp(join(tmpdir(), 'sealift-xen-'));
  const undo: (() => Promise<void>)[] = [() => rm(folder, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (const act of undo.splice(0).reverse()) await act();
  };
  try {
    const binary = (await findServerBinary(cacheFolder)).path;
    const server = await startServer({ binary, folder: join(folder, 'temporal'), headless: !withUi });
    undo.push(() => server.stop());
    const door = await openDoor(server.address, lab.outsideAddress);
    undo.push(async () => door.close());
    const control = await startChild(join(import.meta.dirname, '../../../workers/control.ts'), [cacheFolder], {
      env: { TEMPORAL_ADDRESS: server.address, SEALIFT_STOP_WITH_STDIN: '1' },
      logPath: join(folder, 'control.log'),
    });
    undo.push(() => control.stop());
    const identities = lab.hosts.map(async ({ name }) => [name, await createIdentity(join(folder, name))] as const);
    const names = new Map((await Promise.all(identities)).map(([host, { name }]) => [host, name]));
    undo.push(async () => {
      // A host that was taken down has none to give.
      for (const host of lab.hosts) await host.keepLog(logPath).catch(() => undefined);
    });
    await Promise.all(
      lab.hosts.map(async (host) => {
        const key = await readFile(join(folder, host.name, 'identity.key'));
        await writeHost(host, lab.hosts, key, names);
        await startWorker(host, door.address);
      }),
    );
    // Dom0s answer slowly here.
    const sealift = await connect({ address: server.address, hostMs: 60_000 });
    undo.push(() => sealift.close());
    return { sealift, server, startWorker: (host) => startWorker(host, door.address), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Temporal's development server listens for this machine only: one more address for it. */
async function openDoor(to: string, address: string): Promise<{ address: string; close(): void }> {
  const [host = '', port = ''] = to.split(':');
  const door = createServer((from) => {
    const through = connectTcp(Number(port), host);
    from.pipe(through).pipe(from);
    for (const socket of [from, through]) {
      socket.on('error', () => {
        from.destroy();
        through.destroy();
      });
    }
  });
  await new Promise<void>((done) => door.listen(Number(port), address, done));
  door.unref();
  return { address: `${address}:${port}`, close: () => void door.close() };
}

async function writeHost(
  host: XenHost,
  hosts: readonly XenHost[],
  identityKey: Buffer,
  names: Map<string, string>,
): Promise<void> {
  const peer = hosts
    .filter((other) => other !== host)
    .map((other) => ({ name: other.name, identity: names.get(other.name) ?? '', ssh: serverOf(other) }));
  const file = parseHostFile(
    printHostFile({
      ...parseHostFile(minimalFile(host), 'host.toml'),
      staging: serverOf(host),
      ssh: { folder: madePath, private_key: sshKeyPath },
      peer,
    }),
    'host.toml',
  );
  file.xen.paths = Object.fromEntries(['/opt/lab/vmlinux', '/opt/lab/guest-initramfs'].map((path) => [path, path]));
  for (const path of [poolPath, arrivedPath, madePath, statePath, '/etc/sealift'])
    await host.run(['mkdir', '-m', '0700', '-p', path]);
  await host.writeFile(hostFilePath, printHostFile(file));
  await host.writeFile(`${statePath}/identity.key`, identityKey);
  await host.writeFile(sshKeyPath, await readFile(host.ssh.privateKeyPath));
  await host.run(['chmod', '0600', hostFilePath, `${statePath}/identity.key`, sshKeyPath]);
}

/** Dom0's SSH server, as the other host reaches it. */
function serverOf({ linkAddress, ssh: { port, user, hostKey } }: XenHost): ContainerServer {
  return { folder: arrivedPath, address: linkAddress, port, user, host_key: hostKey };
}

function minimalFile({ name, linkAddress }: XenHost): string {
  return [
    `name = "${name}"`,
    `site = "${name}"`,
    `state = "${statePath}"`,
    '[xen]',
    // An emulated processor on a busy machine.
    'limit_seconds = 150',
    'default_bridge = "xenbr0"',
    '[landing]',
    `address = "${linkAddress}"`,
    'port = 7410',
    '[[pool]]',
    'name = "fast"',
    'kind = "folder"',
    `path = "${poolPath}"`,
    '[[pool]]',
    'name = "volumes"',
    'kind = "lvm"',
    'group = "lab"',
    '[limits]',
    'stall_seconds = 120',
    'connect_seconds = 300',
    '',
  ].join('\n');
}

/** The worker that the lab has put into each dom0, started and started again as a unit of systemd would do it. */
async function startWorker(host: XenHost, temporalAddress: string): Promise<void> {
  const env = Object.entries({ ...hostProcess.env, TEMPORAL_ADDRESS: temporalAddress });
  const program = ['/opt/sealift/node', ...hostProcess.flags, '/opt/sealift/worker/host.js', hostFilePath];
  const script = `until "$@"; do sleep 5; done >>/var/log/sealift.out 2>>${logPath} </dev/null &`;
  const words = ['setsid', 'env', ...env.map(([name, value]) => `${name}=${value}`), ...program];
  await host.run(['sh', '-c', script, 'sh', ...words]);
  await until(readyLimitMs, `the worker of ${host.name} is ready`, async () => {
    const { stdout } = await host.exec(['cat', '/var/log/sealift.out']);
    return stdout.includes('"ready":true') ? stdout : null;
  });
}
