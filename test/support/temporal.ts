import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from '@temporalio/client';
import type { Connection } from '@temporalio/client';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import type { NativeConnection } from '@temporalio/worker';
import { openConnection } from '../../client/connect.ts';
import type { TemporalSettings } from '../../client/connect.ts';
import { registerHost } from '../../client/hosts.ts';
import { createSealift } from '../../client/sealift.ts';
import type { MigrateRequest, MoveHandle, Sealift } from '../../client/index.ts';
import { hostTaskQueue } from '../../domain/migration.ts';
import type { TransferProgress } from '../../domain/progress.ts';
import { findServerBinary } from '../../infra/temporal/server-binary.ts';
import { startServer } from '../../infra/temporal/server.ts';
import type { TemporalServer } from '../../infra/temporal/server.ts';
import { nativeConnection } from '../../workers/connection.ts';
import { startControlWorker } from '../../workers/control.ts';
import type { ControlWorker } from '../../workers/control.ts';
import { testCache } from './cache.ts';
import { FakeHost } from './fake-host.ts';

/** Short limits: a test waits for events, and these decide how soon they come. */
export const quick = { pickUpMs: 2_000, heartbeatMs: 1_000, awayPauseMs: 50, retryInitialMs: 50, retryMaximumMs: 200 };

/** A development server, a control worker and a client for one test file. */
export class TestTemporal {
  readonly server: TemporalServer;
  readonly settings: TemporalSettings;
  readonly client: Client;
  readonly sealift: Sealift;
  readonly native: NativeConnection;
  private readonly connection: Connection;
  private readonly control: ControlWorker;
  private readonly folder: string;
  private readonly from = new FakeHost('lon-1', ['fra-1'], 'london');
  private readonly to = new FakeHost('fra-1', ['lon-1'], 'frankfurt');
  private readonly workers = new Map<string, { worker: Worker; run: Promise<void> }>();
  private pairs = 0;

  private constructor(parts: {
    server: TemporalServer;
    settings: TemporalSettings;
    connection: Connection;
    native: NativeConnection;
    control: ControlWorker;
    folder: string;
  }) {
    this.server = parts.server;
    this.settings = parts.settings;
    this.connection = parts.connection;
    this.native = parts.native;
    this.control = parts.control;
    this.folder = parts.folder;
    this.client = new Client({ connection: parts.connection });
    this.sealift = createSealift({ client: this.client, address: parts.server.address, hostMs: 1_500 });
  }

  static async start(dynamicConfig: Record<string, string> = {}): Promise<TestTemporal> {
    Runtime.install({
      logger: new DefaultLogger('ERROR'),
      telemetryOptions: { logging: { forward: {}, filter: { core: 'ERROR', other: 'ERROR' } } },
      shutdownSignals: [],
    });
    const folder = await mkdtemp(join(tmpdir(), 'sealift-temporal-'));
    const { path: binary } = await findServerBinary(testCache);
    const server = await startServer({ binary, folder, headless: true, dynamicConfig });
    const { address } = server;
    const settings = { address, namespace: 'default', connectionOptions: { address } };
    const [control, connection, native] = await Promise.all([
      startControlWorker({ settings, bundleFolder: testCache }),
      openConnection(settings),
      nativeConnection(settings),
    ]);
    return new TestTemporal({ server, settings, connection, native, control, folder });
  }

  /** Two hosts that trust each other, each with a worker, registered and as new, and a VM on the first. */
  async pair(): Promise<Pair> {
    const { from, to, sealift } = this;
    from.clear();
    to.clear();
    await Promise.all([this.startHost(from), this.startHost(to)]);
    const known = async (): Promise<string[]> => (await sealift.hosts()).map((host) => host.name);
    // Temporal's visibility, the directory's ground, is a moment late.
    while (!(await known()).includes(to.name)) await delay(20);
    const vm = from.addVm(`web-${String(++this.pairs)}`);
    return {
      from,
      to,
      vm,
      migrate: (change = {}) =>
        sealift.migrate({ vm: vm.vmName, from: from.name, to: to.name, timings: quick, ...change }),
    };
  }

  /** Starts a host's worker, unless it runs. */
  async startHost(host: FakeHost): Promise<void> {
    if (this.workers.has(host.name)) return;
    const worker = await Worker.create({
      connection: this.native,
      taskQueue: hostTaskQueue(host.name),
      activities: host.activities(),
      maxHeartbeatThrottleInterval: 100,
      shutdownGraceTime: 0,
    });
    this.workers.set(host.name, { worker, run: worker.run() });
    await registerHost(this.client, host.card());
  }

  async stopHost(host: FakeHost): Promise<void> {
    const known = this.workers.get(host.name);
    if (known === undefined) return;
    this.workers.delete(host.name);
    known.worker.shutdown();
    await known.run;
  }

  /** How many events the newest run of a workflow has. */
  async events(workflowId: string): Promise<number> {
    return (await this.client.workflow.getHandle(workflowId).fetchHistory()).events?.length ?? 0;
  }

  async stop(): Promise<void> {
    await this.stopHost(this.from);
    await this.stopHost(this.to);
    await this.control.stop();
    await this.native.close();
    await this.connection.close();
    await this.server.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

export interface Pair {
  from: FakeHost;
  to: FakeHost;
  vm: ReturnType<FakeHost['addVm']>;
  migrate(change?: Partial<MigrateRequest>): Promise<MoveHandle>;
}

/** Waits until the migration's status is as asked; the watcher polls, the test does not sleep. */
export async function until(
  move: Pick<MoveHandle, 'progress'>,
  isIt: (at: { phase: string; waits: string[]; transfer: TransferProgress | null }) => boolean,
): Promise<void> {
  for await (const at of move.progress({ intervalMs: 100 })) {
    if (isIt({ phase: at.phase, waits: at.status.waits, transfer: at.transfer })) return;
  }
  throw new Error('the migration ended without coming to what the test waits for');
}
