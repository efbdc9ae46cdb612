import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from '@temporalio/client';
import type { Connection } from '@temporalio/client';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import type { NativeConnection } from '@temporalio/worker';
import { openConnection } from '../../client/connect.ts';
import type { TemporalSettings } from '../../client/connect.ts';
import { hostNames, registerHost } from '../../client/hosts.ts';
import { createSealift } from '../../client/sealift.ts';
import type { MigrateRequest, MoveHandle, Sealift } from '../../client/index.ts';
import { hostTaskQueue } from '../../domain/migration.ts';
import type { TransferProgress } from '../../domain/progress.ts';
import { findServerBinary } from '../../infra/temporal/server-binary.ts';
import { startServer } from '../../infra/temporal/server.ts';
import type { TemporalServer } from '../../infra/temporal/server.ts';
import { nativeConnection, startControlWorker } from '../../workers/control.ts';
import type { ControlWorker } from '../../workers/control.ts';
import { hostWorkflowId } from '../../workflows/contract.ts';
import { FakeHost } from './fake-host.ts';

/** Where tests keep what is slow to make: the Temporal server's binary and the workflow bundle. */
export const testCache = join(tmpdir(), `sealift-test-cache-${String(userInfo().uid)}`);

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
  private workers: (() => Promise<void>)[] = [];
  private registered = new Set<string>();
  private hosts = 0;

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

  /** Two hosts that trust each other, each with a worker, registered, and a VM on the first. */
  async pair(): Promise<Pair> {
    const names = [`lon-${String(++this.hosts)}`, `fra-${String(this.hosts)}`] as const;
    const from = new FakeHost(names[0], [names[1]], 'london');
    const to = new FakeHost(names[1], [names[0]], 'frankfurt');
    const [stopFrom, stopTo] = await Promise.all([this.startHost(from), this.startHost(to)]);
    const vm = from.addVm(`web-${String(this.hosts)}`);
    const { sealift } = this;
    const isListed = async (): Promise<boolean> => {
      const known = await hostNames({ client: this.client, address: this.server.address, hostMs: 0 });
      return names.every((name) => known.includes(name));
    };
    // Temporal's visibility, the directory's ground, is a moment late.
    while (!(await isListed())) await delay(20);
    return {
      from,
      to,
      vm,
      stopFrom,
      stopTo,
      migrate: (change = {}) =>
        sealift.migrate({ vm: vm.vmName, from: from.name, to: to.name, timings: quick, ...change }),
    };
  }

  /** A host's worker; the answer stops it. */
  async startHost(host: FakeHost): Promise<() => Promise<void>> {
    const worker = await Worker.create({
      connection: this.native,
      taskQueue: hostTaskQueue(host.name),
      activities: host.activities(),
      maxHeartbeatThrottleInterval: 100,
      shutdownGraceTime: 0,
    });
    const run = worker.run();
    const stop = async (): Promise<void> => {
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await run;
    };
    this.workers.push(stop);
    await registerHost(this.client, host.card());
    this.registered.add(host.name);
    return stop;
  }

  /** How many events the newest run of a workflow has. */
  async events(workflowId: string): Promise<number> {
    return (await this.client.workflow.getHandle(workflowId).fetchHistory()).events?.length ?? 0;
  }

  /** Ends all hosts: after each test, so that no test asks those of another. */
  async forgetHosts(): Promise<void> {
    await Promise.all(this.workers.map(async (stop) => stop()));
    const entries = [...this.registered].map((name) => this.client.workflow.getHandle(hostWorkflowId(name)));
    await Promise.all(entries.map(async (entry) => entry.terminate('the test has ended')));
    this.workers = [];
    this.registered.clear();
  }

  async stop(): Promise<void> {
    await this.forgetHosts();
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
  stopFrom: () => Promise<void>;
  stopTo: () => Promise<void>;
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
