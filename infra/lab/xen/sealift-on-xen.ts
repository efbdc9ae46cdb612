import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '../../../client/index.ts';
import type { Sealift } from '../../../client/index.ts';
import { createIdentity } from '../../../deed/identity.ts';
import type { HostFile } from '../../../domain/host-file.ts';
import { startChild } from '../../child.ts';
import { openDoor } from '../../door.ts';
import { findServerBinary } from '../../temporal/server-binary.ts';
import { startServer } from '../../temporal/server.ts';
import type { TemporalServer } from '../../temporal/server.ts';
import { containerServerOf } from './host-worker.ts';
import type { HostWorker } from './host-worker.ts';
import type { XenHost } from './host.ts';
import type { XenLab } from './lab.ts';
import { WorkerBeside } from './worker-beside.ts';
import { WorkerInDom0 } from './worker-in-dom0.ts';

/** Sealift as in the field: Temporal and the control worker on this machine, the bundled host worker in each dom0 of a lab, or here. */
export interface SealiftOnXen {
  sealift: Sealift;
  server: TemporalServer;
  /** Starts the worker of a host that has been switched on again, and waits until it is ready. */
  startWorker(host: XenHost): Promise<void>;
  close(): Promise<void>;
}

/**
 * `cacheFolder`: where Temporal's server and the workflows' bundle are kept. Without `withUi` there is no Web UI. `beside`: the names of
 * hosts whose worker runs on this machine and enters dom0 by SSH; as root, where `asRoot` says so.
 */
export async function startSealiftOnXen(
  lab: XenLab,
  {
    cacheFolder,
    withUi = false,
    beside = [],
    asRoot = false,
  }: { cacheFolder: string; withUi?: boolean; beside?: readonly string[]; asRoot?: boolean },
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
    const workers = new Map<string, HostWorker>();
    for (const host of lab.hosts) {
      const peers = peersOf(host, lab.hosts, names);
      const own = { host, peers, folder: join(folder, host.name), target: lab.target };
      const worker = beside.includes(host.name)
        ? new WorkerBeside({
            ...own,
            address: lab.outsideAddress,
            temporalAddress: server.address,
            logFolder: host.machine.logFolder,
            asRoot,
          })
        : new WorkerInDom0({ ...own, temporalAddress: door.address });
      undo.push(() => worker.end());
      workers.set(host.name, worker);
    }
    await Promise.all(
      [...workers.values()].map(async (worker) => {
        await worker.prepare();
        await worker.start();
      }),
    );
    // Dom0s answer slowly here.
    const sealift = await connect({ address: server.address, hostMs: 60_000 });
    undo.push(() => sealift.close());
    return { sealift, server, startWorker: async (host) => workers.get(host.name)?.start(), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The other hosts, with the SSH servers that take containers for them; a worker that is not in its dom0 has none. */
function peersOf(host: XenHost, hosts: readonly XenHost[], names: Map<string, string>): HostFile['peer'] {
  return hosts
    .filter((other) => other !== host)
    .map((other) => ({ name: other.name, identity: names.get(other.name) ?? '', ssh: containerServerOf(other) }));
}
