import { existsSync, linkSync, mkdirSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@temporalio/client';
import type { Connection } from '@temporalio/client';
import { connect, openConnection } from '../../client/connect.ts';
import type { Sealift } from '../../client/index.ts';
import { startChild } from '../../infra/child.ts';
import type { Child } from '../../infra/child.ts';
import { processFacts } from '../../infra/lab/process.ts';
import { startSshd, sshdMissing } from '../../infra/lab/sshd.ts';
import type { LabSshd } from '../../infra/lab/sshd.ts';
import { findServerBinary } from '../../infra/temporal/server-binary.ts';
import { startServer } from '../../infra/temporal/server.ts';
import type { TemporalServer } from '../../infra/temporal/server.ts';
import { testCache } from '../support/cache.ts';
import { changeHostFile, impatient, makeWorld } from '../support/world.ts';
import type { TestHost, World } from '../support/world.ts';
import { bytesOnly, startProxy } from '../transport/proxy.ts';
import type { Frame, Proxy } from '../transport/proxy.ts';
import { Director } from './director.ts';
import type { Reached } from './director.ts';
import { judgeBoot } from './judge/agreement.ts';
import type { Secrets } from './judge/secrets.ts';
import { judgeProcesses } from './judge/secrets.ts';
import { drawSecrets } from './suspects.ts';

/** Where nothing goes but what a second control plane sends there. */
const third = { name: 'nyc-1', site: 'new-york' };

/** A second Temporal with a control worker of its own: whoever has both hosts poll it commands them. */
export interface SecondPlane {
  address: string;
  sealift: Sealift;
}

/** A world on which runs of the matrix are played one after the other, with all that watches and harms it. */
export class Stage {
  readonly world: World;
  readonly director: Director;
  readonly temporal: Client;
  readonly secrets: Secrets;
  /** What the watch has seen while runs went on. */
  readonly seen: string[];
  /** Every step that a host was asked for, with its result, in order. */
  readonly steps: Reached[] = [];
  earlierSteps: Reached[] = [];
  /** What senders have sent of the present run, and of the one before it. */
  frames: Frame[] = [];
  earlierFrames: Frame[] = [];
  /** Migrations whose containers are kept in `#older`. */
  readonly #arrived = new Set<string>();
  /** On the line to the SSH server of all hosts; null where there is none. */
  readonly sshLine: Proxy | null;
  readonly #proxies: Map<TestHost, Proxy>;
  readonly #connection: Connection;
  readonly #sshd: LabSshd | null;
  readonly #containers: string;
  /** Beside it: what the stage keeps is nothing that the hosts left. */
  readonly #older: string;
  readonly #supervised = new Map<TestHost, Promise<void>>();
  #controlClockMs = 0;
  /** Session keys of the present run. */
  #keys = 0;
  #second: { server: TemporalServer; control: Child; sealift: Sealift } | null = null;

  private constructor(parts: {
    world: World;
    director: Director;
    connection: Connection;
    proxies: Map<TestHost, Proxy>;
    secrets: Secrets;
    seen: string[];
    sshd: LabSshd | null;
    sshLine: Proxy | null;
    containers: string;
  }) {
    this.world = parts.world;
    this.director = parts.director;
    this.#proxies = parts.proxies;
    this.secrets = parts.secrets;
    this.seen = parts.seen;
    this.temporal = new Client({ connection: parts.connection });
    this.#connection = parts.connection;
    this.#sshd = parts.sshd;
    this.sshLine = parts.sshLine;
    this.#containers = parts.containers;
    this.#older = `${parts.containers}-older`;
    mkdirSync(this.#older, { mode: 0o700 });
    this.director.onPoint = (at) => {
      this.#note(at);
    };
  }

  /** Brings a world up; `sabotage` names a build with a guard taken out. */
  static async open(sabotage?: string): Promise<Stage> {
    const secrets = drawSecrets();
    const seen: string[] = [];
    const containers = await mkdtemp(join(tmpdir(), 'sealift-matrix-'));
    const [arrived, made] = [join(containers, 'arrived'), join(containers, 'made')];
    for (const path of [arrived, made]) await mkdir(path, { mode: 0o700 });
    const sshd = sshdMissing === null ? await startSshd() : null;
    const sshLine = sshd === null ? null : await startProxy(sshd.port, undefined, bytesOnly);
    const staging =
      sshd === null || sshLine === null
        ? {}
        : {
            staging: {
              folder: arrived,
              address: sshd.address,
              port: sshLine.port,
              user: sshd.user,
              host_key: sshd.hostKey,
            },
            ssh: { folder: made, private_key: sshd.privateKeyPath },
          };
    let hosts: TestHost[] = [];
    const world = await makeWorld({
      settings: { limits: { ...impatient.limits, moves: 16 }, ...staging },
      moreHosts: [third],
      env: (folder) => ({ TMPDIR: folder, ...Director.environment(folder, sabotage) }),
      onBoot: (boot) => void seen.push(...judgeBoot(hosts, boot)),
    });
    hosts = world.up.hosts;
    const director = await Director.start(world.folder);
    const proxies = new Map(await Promise.all(hosts.map(async (at) => [at, await putProxyBefore(world, at)] as const)));
    const { address } = world.up.server;
    const connection = await openConnection({ address, namespace: 'default', connectionOptions: { address } });
    return new Stage({ world, director, connection, proxies, secrets, seen, sshd, sshLine, containers });
  }

  /** Folders beside the world's in which its files lie. */
  get otherFolders(): string[] {
    return [this.#containers];
  }

  /** Where a VM goes from a host. */
  other(at: TestHost): TestHost {
    return at === this.world.london ? this.world.frankfurt : this.world.london;
  }

  /** The host that no run goes to by itself. */
  get third(): TestHost {
    const { world } = this;
    const found = world.up.hosts.find((at) => at !== world.london && at !== world.frankfurt);
    if (found === undefined) throw new Error('a stage has three hosts');
    return found;
  }

  /** What stands on the line to a host's landing. */
  proxyOf(at: TestHost): Proxy {
    const proxy = this.#proxies.get(at);
    if (proxy === undefined) throw new Error(`no proxy stands before ${at.host.name}`);
    return proxy;
  }

  /** A new run begins: the link does no harm, and the last run's frames are an earlier run's. */
  begin(): void {
    this.earlierFrames = this.frames;
    this.frames = [];
    this.earlierSteps = this.steps.splice(0);
    // Those of the last run may still be told now.
    this.secrets.keys.splice(0, this.secrets.keys.length - this.#keys);
    this.#keys = 0;
    this.mendLink();
  }

  /** Where a run's container arrives, at whatever host. */
  arrivedContainer(migrationId: string): string {
    return join(this.#containers, 'arrived', `${migrationId}.sealift`);
  }

  /** A container that arrived in an earlier run, to be moved to where it shall be found; null when there was none. */
  olderContainer(migrationId: string): string | null {
    const older = [...this.#arrived].findLast((one) => one !== migrationId);
    if (older === undefined) return null;
    this.#arrived.delete(older);
    return join(this.#older, older);
  }

  mendLink(): void {
    for (const proxy of this.#proxies.values()) proxy.onFrame = (frame) => this.record(frame);
    if (this.sshLine !== null) this.sshLine.onFrame = (frame) => this.record(frame);
  }

  /** Only what a landing would understand. */
  record(frame: Frame): Buffer[] {
    if (frame.kind !== 'bytes') this.frames.push(frame);
    return [frame.bytes];
  }

  /** Starts a host's worker again once it has ended by itself, as systemd does; until `revive`. */
  superviseOnce(at: TestHost): void {
    const { worker } = at;
    const back = worker.ended.then(async () => {
      if (this.#supervised.get(at) === back) await this.world.startWorker(at);
    });
    this.#supervised.set(at, back);
  }

  /** Every worker runs, by the right time, and nobody looks after it any more. */
  async revive(): Promise<void> {
    for (const at of this.world.up.hosts) {
      if (processFacts(at.worker.pid) !== null) this.#supervised.delete(at);
      await this.#supervised.get(at);
      this.#supervised.delete(at);
      if (processFacts(at.worker.pid) === null) await this.world.startWorker(at);
    }
    if (this.#controlClockMs !== 0) await this.restartControl(0);
  }

  /** Kills the control worker and starts it with its clock so much off; until `revive`. */
  async restartControl(clockMs: number): Promise<void> {
    await this.world.killControl();
    this.#controlClockMs = clockMs;
    await this.world.startControl({ SEALIFT_MATRIX_CLOCK_MS: String(clockMs) });
  }

  /** The second control plane; no host polls it until its worker is started there. */
  async secondPlane(): Promise<SecondPlane> {
    if (this.#second === null) {
      const { folder } = this.world;
      const binary = (await findServerBinary(testCache)).path;
      const server = await startServer({ binary, folder: join(folder, 'second'), headless: true });
      const control = await startChild(join(import.meta.dirname, '../../workers/control.ts'), [testCache], {
        env: { TEMPORAL_ADDRESS: server.address, SEALIFT_STOP_WITH_STDIN: '1', TMPDIR: folder },
        logPath: join(folder, 'logs/second-control.log'),
      });
      this.#second = { server, control, sealift: await connect({ address: server.address }) };
    }
    return { address: this.#second.server.address, sealift: this.#second.sealift };
  }

  /** Processes that belong to the stage and to no run. */
  processes(): number[] {
    return this.#second === null ? [] : [this.#second.server.pid, this.#second.control.pid];
  }

  async close(): Promise<void> {
    this.#supervised.clear();
    this.director.lie(null);
    await this.#second?.sealift.close();
    await this.#second?.control.stop();
    await this.#second?.server.stop();
    await this.#connection.close();
    for (const proxy of this.#proxies.values()) await proxy.close();
    await this.sshLine?.close();
    await this.world.close();
    await this.director.close();
    await this.#sshd?.stop();
    for (const folder of [this.#containers, this.#older]) await rm(folder, { recursive: true, force: true });
  }

  /** By a name of its own, since the host removes the one that it knows. */
  #keepContainer(at: Reached): void {
    const [{ migrationId }] = (at.facts as { ask: [{ migrationId: string }] }).ask;
    const path = this.arrivedContainer(migrationId);
    if (this.#arrived.has(migrationId) || !existsSync(path)) return;
    linkSync(path, join(this.#older, migrationId));
    this.#arrived.add(migrationId);
  }

  #note(at: Reached): void {
    if (at.name === 'key') {
      this.secrets.keys.push(Buffer.from(String(at.facts), 'hex'));
      this.#keys += 1;
    }
    if (at.name === 'key' || at.name === 'chunk' || at.name === 'manifest') return;
    this.steps.push(at);
    if (at.name === 'openContainer' && at.when === 'before') this.#keepContainer(at);
    if (at.when === 'before') this.seen.push(...judgeProcesses(this.world, this.secrets));
  }
}

/** Others are told the proxy's address; the landing listens on the same port of another one. */
async function putProxyBefore(world: World, at: TestHost): Promise<Proxy> {
  const { landing } = await changeHostFile(world, at, (file) => ({
    ...file,
    landing: { address: '127.0.0.2', port: file.landing.port, listen: '127.0.0.1' },
  }));
  return startProxy(landing.port, { address: '127.0.0.2', port: landing.port });
}
