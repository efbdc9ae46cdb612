import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { fenceKindIn } from '../deed/fence.ts';
import { createIdentity, loadIdentity } from '../deed/identity.ts';
import { parseHostFile, printHostFile } from '../domain/host-file.ts';
import type { ContainerServer, HostFile } from '../domain/host-file.ts';
import { hostProcess } from '../workers/host-process.ts';
import { startChild } from './child.ts';
import { anyPort, freePortOr } from './free-port.ts';
import type { Child } from './child.ts';
import { makeLabHost, rebootLabHost, stopLabHost } from './lab/lab-host.ts';
import type { LabHost } from './lab/lab-host.ts';

/** A host on stand-in Xen within one folder, with its worker as a process of its own. */
export interface StandInHost {
  readonly name: string;
  readonly lab: LabHost;
  readonly filePath: string;
  readonly identity: string;
  readonly poolPath: string;
  /** Variables that its worker, and anybody who wants to use its `xl`, needs. */
  readonly env: Record<string, string>;
  /** Where its worker runs, if not beside this process. */
  readonly place?: WorkerPlace | undefined;
}

export interface StandInPlan {
  name: string;
  site: string;
  /** Changes to the host's file. */
  settings?: Partial<HostFile>;
  observer?: string;
  /** The SSH server that it pins for its peers. */
  peerSsh?: ContainerServer;
  /** Where its worker runs, if not beside this process. */
  place?: WorkerPlace;
}

export interface WorkerPlace {
  /** The words by which a program runs there. */
  within: (program: string, ...args: string[]) => [program: string, args: string[]];
  /** Of Temporal, as it is reached from there. */
  temporalAddress: string;
}

/** Fenced by permission bits, which the stand-in's domains cannot override: immutable files would outlive an `rm -r` of the folder. */
const settings = { fence: 'permissions' } as const;
/** The two hosts of `npm start` and of `sealift up`. */
export const standIns: StandInPlan[] = [
  { name: 'lon-1', site: 'london', settings },
  { name: 'fra-1', site: 'frankfurt', settings },
];

/** Makes the folder of a stand-in host, or takes up the one that is there: dom0, pool, identity. */
export async function prepareHost(folder: string, plan: StandInPlan): Promise<StandInHost> {
  const at = join(folder, plan.name);
  const lab = await makeLabHost(join(at, 'dom0'), plan.observer === undefined ? {} : { observer: plan.observer });
  const state = join(at, 'state');
  const poolPath = join(at, 'pool');
  for (const path of [state, poolPath]) await mkdir(path, { recursive: true, mode: 0o700 });
  const identity = existsSync(join(state, 'identity.key')) ? await loadIdentity(state) : await createIdentity(state);
  const env = {
    ...lab.env,
    // `xl` is found on PATH, as on a real host.
    PATH: [dirname(lab.xl), dirname(process.execPath), process.env.PATH ?? ''].join(delimiter),
    SEALIFT_STOP_WITH_STDIN: '1',
  };
  const { name, place } = plan;
  return { name, lab, filePath: join(at, 'host.toml'), identity: identity.name, poolPath, env, place };
}

/** Writes the host's file, trusting `peers`. The landing keeps its port from one start to the next, unless another program has taken it. */
export async function writeHostFile(host: StandInHost, plan: StandInPlan, peers: StandInHost[]): Promise<void> {
  const at = dirname(host.filePath);
  const file: HostFile = {
    name: plan.name,
    site: plan.site,
    state: join(at, 'state'),
    dom0: plan.settings?.dom0 ?? { access: 'local' },
    fence: plan.settings?.fence ?? (await bestFence(host.poolPath)),
    xen: {
      xl: 'xl',
      etc: host.lab.etcFolder,
      save: host.lab.saveFolder,
      net: host.lab.netFolder,
      consoles: host.lab.consoleFolder,
      confined: true,
      limit_seconds: 30,
      bridges: {},
      paths: {},
      allow: { bootloaders: [], vif_scripts: [] },
      default_bridge: 'xenbr0',
    },
    landing: { address: '127.0.0.1', port: await landingPort(host.filePath) },
    iscsi: [],
    tunnel: { vici: '/run/charon.vici', esp: 'aes256gcm16' },
    pool: [{ name: 'fast', kind: 'folder', path: host.poolPath }],
    limits: { moves: 4, orphan_seconds: 300, stall_seconds: 20, connect_seconds: 60 },
    probe: {},
    operator: [],
    peer: peers
      .filter((peer) => peer.name !== host.name)
      .map(({ name, identity }) => ({
        name,
        identity,
        ...(plan.peerSsh === undefined ? {} : { ssh: plan.peerSsh }),
      })),
    ...plan.settings,
  };
  await writeFile(host.filePath, printHostFile(file), { mode: 0o600 });
  await chmod(host.filePath, 0o600);
}

/** Immutable files where rights and file system allow; else permission bits, which the stand-in's domains cannot override. */
async function bestFence(poolPath: string): Promise<'immutable' | 'permissions'> {
  return (await fenceKindIn(poolPath)) === 'immutable' ? 'immutable' : 'permissions';
}

async function landingPort(filePath: string): Promise<number> {
  if (!existsSync(filePath)) return anyPort();
  return freePortOr(parseHostFile(await readFile(filePath, 'utf8'), filePath).landing.port);
}

/** Powers the stand-in on: what its dom0 starts by itself is started. */
export async function powerOn(host: StandInHost): Promise<void> {
  await rebootLabHost(host.lab.root);
}

/** Powers the stand-in off: nothing of it is left running. */
export async function powerOff(host: StandInHost): Promise<void> {
  await stopLabHost(host.lab.root);
}

/** Starts the host's worker and waits until it polls. */
export async function startHostWorker(
  host: Pick<StandInHost, 'name' | 'filePath' | 'env' | 'place'>,
  options: { temporalAddress: string; logFolder: string; env?: Record<string, string> },
): Promise<Child> {
  const { temporalAddress, logFolder, env } = options;
  const { place } = host;
  const address = {
    TEMPORAL_ADDRESS: temporalAddress,
    ...env,
    ...(place && { TEMPORAL_ADDRESS: place.temporalAddress }),
  };
  return startChild(join(import.meta.dirname, `../workers/host${ending}`), [host.filePath], {
    nodeFlags: hostProcess.flags,
    env: { ...hostProcess.env, ...host.env, ...address },
    logPath: join(logFolder, `${host.name}.log`),
    ...(place && { within: place.within }),
  });
}

/** `.ts` among the sources, `.js` in the published package. */
const ending = import.meta.filename.slice(-3);
