import { rm } from 'node:fs/promises';
import { addLabVm, makeLabHost } from '../../../infra/lab/lab-host.ts';
import type { LabHost } from '../../../infra/lab/lab-host.ts';
import type { Clock } from '../clock.ts';
import type { End } from '../end.ts';
import type { Ground } from '../ground.ts';
import { placePayload, verifyPayload } from '../payload.ts';
import type { Payload } from '../payload.ts';

const name = 'study';
const disk = 'study.raw';

/** The VM that both ways of the study move by hand: a domain on stand-in Xen, whose disk is the payload. */
export class StudyVm {
  readonly #ground: Ground;
  readonly #hosts: [LabHost, LabHost];

  private constructor(ground: Ground, hosts: [LabHost, LabHost]) {
    this.#ground = ground;
    this.#hosts = hosts;
  }

  static async make(ground: Ground): Promise<StudyVm> {
    const host = (end: End): Promise<LabHost> => makeLabHost(end.path('dom0'));
    return new StudyVm(ground, [await host(ground.source), await host(ground.destination)]);
  }

  get sourceDisk(): string {
    return this.#ground.source.path(disk);
  }

  get destinationDisk(): string {
    return this.#ground.destination.path(disk);
  }

  /** Shuts it down, lets `carry` bring its disk over, and starts it there. */
  async move(payload: Payload, clock: Clock, carry: () => Promise<void>): Promise<void> {
    const { source, destination } = this.#ground;
    const [here, there] = this.#hosts;
    await placePayload(payload, this.sourceDisk);
    const configOf = async (host: LabHost, path: string): Promise<string> =>
      (await addLabVm(host, { name, memoryMib: 32, disks: [{ path, vdev: 'xvda', sizeBytes: payload.bytes }] }))
        .configPath;
    await xl(source, here, 'create', await configOf(here, this.sourceDisk));
    let runsAt: 'source' | 'destination' | null = 'source';
    try {
      await clock.beside('shut down', () => xl(source, here, 'shutdown', '-w', '-w', name));
      runsAt = null;
      await carry();
      await clock.outside(() => verifyPayload(payload, this.destinationDisk));
      const config = await clock.outside(() => configOf(there, this.destinationDisk));
      await clock.beside('restart', () => xl(destination, there, 'create', config));
      runsAt = 'destination';
    } finally {
      await clock.outside(async () => {
        if (runsAt === 'source') await xl(source, here, 'destroy', name);
        if (runsAt === 'destination') await xl(destination, there, 'destroy', name);
        for (const path of [this.sourceDisk, this.destinationDisk]) await rm(path, { force: true });
      });
    }
  }
}

async function xl(end: End, host: LabHost, ...args: string[]): Promise<void> {
  await end.run(host.xl, args, { env: host.env });
}
