import { copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { constants } from 'node:fs';
import { basename, join } from 'node:path';
import { execa } from 'execa';
import { z } from 'zod';
import { cached } from '../cached.ts';
import { XenHost } from './host.ts';
import { makeImage } from './image.ts';
import type { Image } from './image.ts';
import { killLabProcesses, labProcesses } from './lab-processes.ts';
import { boot, diskPaths, machineArguments, makeDisks, resume, takeSnapshot } from './machine.ts';
import type { Machine } from './machine.ts';
import { makeNetworks, removeNetworks } from './network.ts';
import {
  addresses,
  cacheFolder,
  hostNames,
  knownHostsPath,
  labFolder,
  logFolder,
  recordPath,
  workerDiskPath,
} from './places.ts';
import { startTarget, targetOf } from './target.ts';
import type { Target } from './target.ts';
import { makeWorkerDisk } from './worker-disk.ts';

/** How the link between the hosts is; what is not there is as it comes. */
export interface Link {
  roundTripMs?: number;
  /** In each direction. */
  rateMbps?: number;
  /** In each direction. */
  lossPercent?: number;
}

const record = z.object({
  number: z.number(),
  image: z.object({
    rootPath: z.string(),
    xenPath: z.string(),
    kernelPath: z.string(),
    initramfsPath: z.string(),
    toolsPath: z.string(),
    privateKeyPath: z.string(),
    hostKey: z.string(),
  }),
});

/** Two Xen hosts and an iSCSI target, all on this machine. */
export class XenLab {
  readonly hosts: readonly [XenHost, XenHost];
  readonly target: Target;
  /** This machine, as the dom0s reach it. */
  readonly outsideAddress: string;
  readonly #number: number;

  constructor(number: number, image: Image) {
    const host = (name: (typeof hostNames)[number]) =>
      new XenHost({ name, number, folder: join(labFolder, name), logFolder, image, workerPath: workerDiskPath });
    this.hosts = [host('xen-1'), host('xen-2')];
    this.target = targetOf(labFolder, number);
    this.outsideAddress = addresses(number).management('outside');
    this.#number = number;
  }

  /** A clean pair of hosts, an empty disk at the target and a link that nothing holds up, whatever was before. */
  async reset(): Promise<void> {
    this.leave();
    await killLabProcesses(labFolder);
    const clean = await cleanPair(this.hosts.map(({ machine }) => machine));
    await Promise.all([
      startTarget(labFolder, logFolder, this.#number),
      ...this.hosts.map(async (host) => {
        await mkdir(host.machine.folder, { recursive: true, mode: 0o700 });
        for (const path of diskPaths(host.machine)) {
          await copyFile(join(clean, host.name, basename(path)), path, constants.COPYFILE_FICLONE);
        }
        await resume(host.machine);
        await host.settle();
      }),
    ]);
  }

  /** Shapes the link between the hosts, until the next reset or boot. */
  async setLink({ roundTripMs, rateMbps, lossPercent }: Link): Promise<void> {
    const shape = [
      ...(roundTripMs === undefined ? [] : ['delay', `${String(roundTripMs / 2)}ms`]),
      ...(rateMbps === undefined ? [] : ['rate', `${String(rateMbps)}mbit`]),
      ...(lossPercent === undefined ? [] : ['loss', `${String(lossPercent)}%`]),
    ];
    const qdisc = shape.length === 0 ? ['pfifo_fast'] : ['netem', 'limit', '100000', ...shape];
    await Promise.all(this.hosts.map((host) => host.run(['tc', 'qdisc', 'replace', 'dev', 'eth1', 'root', ...qdisc])));
  }

  /** Ends this process's connections; the lab stays up. */
  leave(): void {
    for (const host of this.hosts) host.disconnect();
  }

  async down(): Promise<void> {
    this.leave();
    await takeDownXenLab();
  }
}

/**
 * Brings the lab up, from nothing: what is left of an earlier one is taken down first. Needs what `missingNeeds` names. The first time it
 * builds the image and boots both hosts; later ones resume a clean pair out of the cache.
 */
export async function bringUpXenLab(say: (line: string) => void = () => undefined): Promise<XenLab> {
  await takeDownXenLab();
  await rm(logFolder, { recursive: true, force: true });
  const image = await makeImage(cacheFolder, say);
  await mkdir(labFolder, { recursive: true, mode: 0o700 });
  const number = await makeNetworks(labFolder);
  try {
    const lab = new XenLab(number, image);
    await makeWorkerDisk(workerDiskPath);
    await writeFile(recordPath, JSON.stringify({ number, image }));
    await writeFile(knownHostsPath, `* ${image.hostKey}\n`);
    await lab.reset();
    return lab;
  } catch (error) {
    await takeDownXenLab();
    throw error;
  }
}

/** The lab that is up. Throws when none is. */
export async function openXenLab(): Promise<XenLab> {
  const text = await readFile(recordPath, 'utf8').catch(() => null);
  if (text === null || labProcesses(labFolder).length === 0) throw new Error('the lab is not up');
  const { number, image } = record.parse(JSON.parse(text));
  return new XenLab(number, image);
}

/** Leaves nothing but the logs, also of a lab whose command was killed. */
export async function takeDownXenLab(): Promise<void> {
  await killLabProcesses(labFolder);
  await removeNetworks(labFolder);
  const own = [
    ...[...hostNames, 'target'].map((name) => join(labFolder, name)),
    recordPath,
    knownHostsPath,
    workerDiskPath,
  ];
  for (const path of own) await rm(path, { recursive: true, force: true });
}

/** The disks of both hosts with a snapshot of them booted, from the cache unless something that they are made of has changed. */
async function cleanPair(machines: Machine[]): Promise<string> {
  const { stdout: version } = await execa('qemu-system-x86_64', ['--version']);
  const madeFrom = [version, ...machines.flatMap(machineArguments)];
  return cached(cacheFolder, 'pair', madeFrom, async (into) => {
    await Promise.all(
      machines.map(async (machine) => {
        await makeDisks(machine);
        await boot(machine);
        await takeSnapshot(machine);
        await mkdir(join(into, machine.name));
        for (const path of diskPaths(machine)) await rename(path, join(into, machine.name, basename(path)));
      }),
    );
  });
}
