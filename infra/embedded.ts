import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { startChild } from './child.ts';
import type { Child } from './child.ts';
import { powerOff, powerOn, prepareHost, startHostWorker, writeHostFile } from './stand-in-host.ts';
import type { StandInHost, StandInPlan } from './stand-in-host.ts';
import { findServerBinary } from './temporal/server-binary.ts';
import { startServer } from './temporal/server.ts';
import type { TemporalServer } from './temporal/server.ts';

export interface EmbeddedOptions {
  /** Everything lies in here; nothing is written anywhere else. */
  folder: string;
  hosts: StandInPlan[];
  /** Hosts on a real Xen, this machine's: their workers run here too. */
  realHosts?: { name: string; filePath: string }[];
  /** Temporal's port; its Web UI takes the one 1000 above. Default: free ones. */
  port?: number;
  /** Without the Web UI. */
  headless?: boolean;
  /** Told what is being done, a line each. */
  say?: (line: string) => void;
  /** Once aborted, what is being brought up is taken down again. */
  signal?: AbortSignal;
  /** Variables for all workers. */
  env?: Record<string, string>;
}

/** Sealift on one machine: Temporal on a database file, a control worker, and hosts on stand-in Xen. */
export interface Embedded {
  readonly server: TemporalServer;
  readonly control: Child;
  readonly hosts: { host: StandInHost; worker: Child }[];
  /** Stops the workers, powers the hosts off and stops Temporal: no process is left, and the next `bringUp` finds all as it was. */
  stop(): Promise<void>;
}

/**
 * Brings everything up, in the order in which each needs the other. What fails takes down what was brought up before it, and
 * so does `signal`, whose reason is then thrown.
 */
export async function bringUp(options: EmbeddedOptions): Promise<Embedded> {
  const folder = resolve(options.folder);
  const say = options.say ?? ((): void => undefined);
  const logFolder = join(folder, 'logs');
  await mkdir(logFolder, { recursive: true, mode: 0o700 });
  const undo: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (let last = undo.pop(); last !== undefined; last = undo.pop()) await last();
  };
  try {
    const binary = await findServerBinary(join(folder, 'cache'));
    say(`Temporal ${binary.version}, from ${binary.from}`);
    options.signal?.throwIfAborted();
    const server = await startServer({
      binary: binary.path,
      folder: join(folder, 'temporal'),
      ...(options.port === undefined ? {} : { port: options.port }),
      headless: options.headless ?? false,
    });
    undo.push(() => server.stop());
    options.signal?.throwIfAborted();
    const env = { ...options.env, TEMPORAL_ADDRESS: server.address };
    const control = await startControl(folder, logFolder, env);
    undo.push(() => control.stop());
    options.signal?.throwIfAborted();
    const prepared = [];
    for (const plan of options.hosts) prepared.push({ plan, host: await prepareHost(join(folder, 'hosts'), plan) });
    const all = prepared.map(({ host }) => host);
    for (const { plan, host } of prepared) await writeHostFile(host, plan, all);
    for (const host of all) {
      undo.push(() => powerOff(host));
      await powerOn(host);
    }
    const where = { temporalAddress: server.address, logFolder, env };
    const hosts = await Promise.all(all.map(async (host) => ({ host, worker: await startHostWorker(host, where) })));
    undo.push(async () => {
      await Promise.all(hosts.map(({ worker }) => worker.stop()));
    });
    for (const host of options.realHosts ?? []) {
      const worker = await startHostWorker({ ...host, env: { SEALIFT_STOP_WITH_STDIN: '1' } }, where);
      undo.push(() => worker.stop());
    }
    options.signal?.throwIfAborted();
    return { server, control, hosts, stop };
  } catch (error) {
    await stop();
    // A Ctrl-C on the terminal reaches the children too: their end is then no failure.
    options.signal?.throwIfAborted();
    throw error;
  }
}

/** Whether something was brought up in `folder` before. */
export function wasUp(folder: string): boolean {
  return existsSync(join(folder, 'hosts'));
}

function startControl(folder: string, logFolder: string, env: Record<string, string>): Promise<Child> {
  const script = join(import.meta.dirname, `../workers/control${import.meta.filename.slice(-3)}`);
  return startChild(script, [join(folder, 'cache')], {
    env: { ...env, SEALIFT_STOP_WITH_STDIN: '1' },
    logPath: join(logFolder, 'control.log'),
  });
}
