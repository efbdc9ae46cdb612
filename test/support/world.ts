import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { connect } from '../../client/index.ts';
import type { MigrateRequest, MoveHandle, Sealift } from '../../client/index.ts';
import { parseHostFile, printHostFile } from '../../domain/host-file.ts';
import type { HostFile } from '../../domain/host-file.ts';
import { startChild } from '../../infra/child.ts';
import type { Child } from '../../infra/child.ts';
import { bringUp } from '../../infra/embedded.ts';
import type { Embedded } from '../../infra/embedded.ts';
import { addLabVm } from '../../infra/lab/lab-host.ts';
import { startObserver } from '../../infra/lab/observer.ts';
import type { ObservedBoot, Observer } from '../../infra/lab/observer.ts';
import { checkRecords } from '../../infra/lab/records.ts';
import { startHostWorker } from '../../infra/stand-in-host.ts';
import { findServerBinary } from '../../infra/temporal/server-binary.ts';
import { startServer } from '../../infra/temporal/server.ts';
import { testCache } from './cache.ts';
import type { StandInHost, StandInPlan } from '../../infra/stand-in-host.ts';
import type { HostsOnWan } from '../../infra/lab/wan/sealift-on-wan.ts';

export const MiB = 1024 * 1024;

/** Short limits, so that tests wait for what happens and not for the clock. */
export const quick = {
  pickUpMs: 3_000,
  heartbeatMs: 2_000,
  awayPauseMs: 200,
  retryInitialMs: 200,
  retryMaximumMs: 1_000,
};

/** Settings for hosts whose streams and workers come to harm. */
export const impatient = { limits: { moves: 4, orphan_seconds: 30, stall_seconds: 3, connect_seconds: 10 } };

export interface TestHost {
  host: StandInHost;
  worker: Child;
}

export interface TestVm {
  name: string;
  uuid: string;
  /** The data disk at its first host, which the guest writes records to. */
  dataPath: string;
  diskPaths: string[];
}

/** A whole Sealift of its own in a temporary folder, watched from outside. */
export interface World {
  folder: string;
  up: Embedded;
  sealift: Sealift;
  observer: Observer;
  london: TestHost;
  frankfurt: TestHost;
  /** Makes a VM on a host, starts it by `xl` and adopts it. */
  makeVm(
    name: string,
    options?: {
      on?: TestHost;
      diskBytes?: number[];
      /** Where the first disk is made; in the host's pool when it is left out. */
      folder?: string;
      /** Fills the first disk with random bytes: it takes its time under a rate limit. */
      noise?: boolean;
      start?: boolean;
      adopt?: boolean;
      extraConfig?: string;
    },
  ): Promise<TestVm>;
  /** Kills a host's worker by SIGKILL. */
  killWorker(at: TestHost): Promise<void>;
  /** Starts it again; at another Temporal server when its address is given. */
  startWorker(at: TestHost, temporalAddress?: string): Promise<void>;
  /** Stops the control worker by SIGTERM. */
  stopControl(): Promise<void>;
  killControl(): Promise<void>;
  /** Starts it again, with further variables when they are given. */
  startControl(further?: Record<string, string>): Promise<void>;
  /** Kills Temporal by SIGKILL. */
  killTemporal(): Promise<void>;
  /** Starts it again on its database and port. */
  startTemporal(): Promise<void>;
  /** The pids of all processes that are meant to be there by what they are, domains excepted; a host worker goes by its host's name. */
  processes(): Record<string, number>;
  close(): Promise<void>;
}

export async function makeWorld(
  options: {
    settings?: Partial<HostFile>;
    /** Where London and Frankfurt are, when not beside each other on this machine. */
    at?: Pick<HostsOnWan, 'hosts' | 'port'>;
    /** Besides London and Frankfurt. */
    moreHosts?: { name: string; site: string }[];
    /** Variables for all workers, restarted ones too. */
    env?: (folder: string) => Record<string, string>;
    onBoot?: (boot: ObservedBoot) => void;
  } = {},
): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'sealift-world-'));
  // Fetched, or made, once for all worlds and not once for each.
  await mkdir(testCache, { recursive: true });
  await symlink(testCache, join(folder, 'cache'));
  process.env.SEALIFT_TEMPORAL_CLI ??= (await findServerBinary(testCache)).path;
  const observer = await startObserver(join(folder, 'observer.sock'), options.onBoot);
  const { settings } = options;
  const env = options.env?.(folder) ?? {};
  const plan = {
    observer: observer.path,
    ...(settings === undefined ? {} : { settings }),
    ...(settings?.staging === undefined ? {} : { peerSsh: settings.staging }),
  };
  const up = await bringUp({
    folder,
    hosts: [
      ...(options.at?.hosts ?? beside).map((host) => ({
        ...plan,
        ...host,
        settings: { ...settings, ...host.settings },
      })),
      ...(options.moreHosts ?? []).map((more) => ({ ...more, ...plan })),
    ],
    ...(options.at === undefined ? {} : { port: options.at.port }),
    headless: true,
    env,
  });
  const [london, frankfurt] = up.hosts;
  if (london === undefined || frankfurt === undefined) throw new Error('two hosts were asked for');
  const sealift = await connect({ address: up.server.address });
  const logFolder = join(folder, 'logs');
  let { server, control } = up;
  return {
    folder,
    up,
    sealift,
    observer,
    london,
    frankfurt,
    makeVm: async (
      name,
      {
        on = london,
        diskBytes = [MiB, 2 * MiB],
        folder: place,
        noise = false,
        start = true,
        adopt = true,
        extraConfig,
      } = {},
    ) => {
      const diskPaths = diskBytes.map((_, index) =>
        join(index === 0 ? (place ?? on.host.poolPath) : on.host.poolPath, `${name}-${String(index)}.raw`),
      );
      const disks = diskBytes.map((sizeBytes, index) => ({
        path: diskPaths[index] ?? '',
        vdev: `xvd${String.fromCharCode(97 + index)}`,
        sizeBytes,
      }));
      if (noise) await writeFile(diskPaths[0] ?? '', randomBytes(diskBytes[0] ?? 0), { mode: 0o600 });
      const vm = await addLabVm(on.host.lab, {
        name,
        memoryMib: 32,
        disks,
        autostart: true,
        ...(extraConfig === undefined ? {} : { extraConfig }),
      });
      if (start) await xl(on, 'create', vm.configPath);
      if (adopt) await sealift.adopt({ vm: name, host: on.host.name, by: 'test' });
      return { name, uuid: vm.uuid, dataPath: diskPaths.at(-1) ?? '', diskPaths };
    },
    killWorker: async ({ worker }) => {
      worker.kill('SIGKILL');
      await worker.ended;
    },
    startWorker: async (at, temporalAddress = up.server.address) => {
      at.worker = await startHostWorker(at.host, { temporalAddress, logFolder, env });
    },
    stopControl: () => control.stop(),
    killControl: async () => {
      control.kill('SIGKILL');
      await control.ended;
    },
    startControl: async (further = {}) => {
      control = await startChild(join(import.meta.dirname, '../../workers/control.ts'), [join(folder, 'cache')], {
        env: { ...env, ...further, TEMPORAL_ADDRESS: up.server.address, SEALIFT_STOP_WITH_STDIN: '1' },
        logPath: join(logFolder, 'control.log'),
      });
    },
    killTemporal: async () => {
      process.kill(server.pid, 'SIGKILL');
      await server.ended;
    },
    startTemporal: async () => {
      const port = Number(server.address.split(':')[1]);
      server = await startServer({
        binary: (await findServerBinary(join(folder, 'cache'))).path,
        folder: join(folder, 'temporal'),
        port,
        headless: true,
      });
    },
    processes: () => ({
      Temporal: server.pid,
      'control worker': control.pid,
      ...Object.fromEntries(up.hosts.map(({ host, worker }) => [host.name, worker.pid])),
    }),
    close: async () => {
      await sealift.close();
      await control.stop();
      await up.stop();
      await server.stop();
      await observer.close();
      await unlockAll(folder);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const beside: StandInPlan[] = [
  { name: 'lon-1', site: 'london' },
  { name: 'fra-1', site: 'frankfurt' },
];

/** Runs a host's own `xl`. */
export async function xl(
  at: TestHost,
  ...args: string[]
): Promise<{ exitCode: number | undefined; stdout: string; stderr: string }> {
  const { exitCode, stdout, stderr } = await execa('xl', args, { env: at.host.env, reject: false });
  return { exitCode, stdout, stderr };
}

/** Kills a host's worker and starts it with a changed file; returns what the file said before. */
export async function changeHostFile(
  world: World,
  at: TestHost,
  change: (file: HostFile) => HostFile,
): Promise<HostFile> {
  const before = parseHostFile(await readFile(at.host.filePath, 'utf8'), 'host.toml');
  await world.killWorker(at);
  await writeFile(at.host.filePath, printHostFile(change(before)));
  await world.startWorker(at);
  return before;
}

/** Starts a move with short limits. */
export function migrate(world: World, request: Omit<MigrateRequest, 'to'> & { to?: string }): Promise<MoveHandle> {
  return world.sealift.migrate({ to: 'fra-1', timings: quick, ...request });
}

/** The path of a VM's data disk at the host that landed it. */
export async function dataDiskAt(world: World, at: TestHost, vm: TestVm): Promise<string> {
  const { disks } = await world.sealift.inspect({ vm: vm.uuid, host: at.host.name });
  const last = disks.at(-1);
  if (last === undefined) throw new Error(`${vm.name} has no disk on ${at.host.name}`);
  return last.path;
}

/** What must hold after anything at all: no VM ever ran twice, and the guest's records are whole on its present disk. */
export async function verdict(world: World, vm: TestVm, at: TestHost): Promise<string[]> {
  const report = await checkRecords(await dataDiskAt(world, at, vm));
  return [...world.observer.doubles, ...report.problems];
}

/** Fences leave immutable files behind, which even root cannot remove. */
async function unlockAll(folder: string): Promise<void> {
  await execa('chattr', ['-R', '-i', folder], { reject: false });
  await execa('chmod', ['-R', 'u+w', folder], { reject: false });
}
