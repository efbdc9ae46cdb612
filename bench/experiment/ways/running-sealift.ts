import { mkdir, readdir, rm, symlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { connect } from '../../../client/index.ts';
import type { Sealift } from '../../../client/index.ts';
import type { Embedded } from '../../../infra/embedded.ts';
import { sshdMissing } from '../../../infra/lab/sshd.ts';
import type { LabSshd } from '../../../infra/lab/sshd.ts';
import { startSealiftOnWan } from '../../../infra/lab/wan/sealift-on-wan.ts';
import type { SiteServices } from '../../../infra/lab/wan/sealift-on-wan.ts';
import { charonMissing } from '../../../infra/lab/wan/charon.ts';
import type { StandInHost } from '../../../infra/stand-in-host.ts';
import type { Ground } from '../ground.ts';
import { serveSsh } from './ssh-server.ts';

/** The one that all of Sealift's methods share. */
let shared: { ground: Ground; running: Promise<RunningSealift> } | null = null;
let moves = 0;

/** Sealift with a host at each end of the line, whose workers are metered with all that they start. */
export class RunningSealift {
  readonly sealift: Sealift;
  readonly source: StandInHost;
  readonly destination: StandInHost;
  readonly #up: Embedded;
  readonly #staging: { sshd: LabSshd; folders: string[] } | null;

  private constructor(up: Embedded, sealift: Sealift, staging: { sshd: LabSshd; folders: string[] } | null) {
    const [lon, fra] = up.hosts;
    if (lon === undefined || fra === undefined) throw new Error('there are no two hosts');
    this.#up = up;
    this.#staging = staging;
    this.sealift = sealift;
    this.source = lon.host;
    this.destination = fra.host;
  }

  /** The one on this ground, brought up unless it is there. */
  static on(ground: Ground): Promise<RunningSealift> {
    if (shared?.ground !== ground) {
      const running = RunningSealift.bringUp(ground);
      shared = { ground, running };
      running.catch(() => {
        shared = null;
      });
    }
    return shared.running;
  }

  /** Takes it down, with the moves that it is at; the next who asks gets a new one. */
  static async down(): Promise<void> {
    const last = shared;
    shared = null;
    await (await last?.running)?.stop();
  }

  private static async bringUp(ground: Ground): Promise<RunningSealift> {
    const staging = sshdMissing === null ? await makeStaging(ground) : null;
    const folder = join(ground.folder, 'sealift');
    await rm(folder, { recursive: true, force: true });
    await shareCache(folder);
    const charons = charonMissing === null ? await ground.strongSwan() : [];
    const up = await startSealiftOnWan(ground.lab, folder, { staged: staging?.settings, charons });
    for (const [index, end] of [ground.source, ground.destination].entries())
      end.meter.enter(up.hosts[index]?.worker.pid ?? 0);
    return new RunningSealift(up, await connect({ address: up.server.address }), staging);
  }

  private async stop(): Promise<void> {
    await this.sealift.close();
    await this.#up.stop();
    await this.#staging?.sshd.stop();
  }

  /** Of a VM that was never there. */
  nextName(): string {
    moves += 1;
    return `vm-${String(moves)}`;
  }

  /** Removes what a move leaves, which nobody will want back. */
  async clear(): Promise<void> {
    const folders = [this.source.poolPath, this.destination.poolPath, ...(this.#staging?.folders ?? [])];
    for (const folder of folders)
      for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true });
  }
}

/** The server's program and what is made for it are there from one run to the next. */
async function shareCache(folder: string): Promise<void> {
  const cache = resolve('.sealift/cache/experiment-sealift');
  for (const path of [cache, folder]) await mkdir(path, { recursive: true, mode: 0o700 });
  await symlink(cache, join(folder, 'cache'));
}

async function makeStaging({ source, destination }: Ground): Promise<{
  sshd: LabSshd;
  folders: string[];
  settings: NonNullable<SiteServices['staged']>;
}> {
  const folders = [source.path('containers'), destination.path('containers')] as const;
  for (const folder of folders) await mkdir(folder, { recursive: true, mode: 0o700 });
  const { sshd } = await serveSsh(destination);
  const server = { address: sshd.address, port: sshd.port, user: sshd.user, host_key: sshd.hostKey };
  const settings = {
    staging: { folder: folders[1], ...server },
    ssh: { folder: folders[0], private_key: sshd.privateKeyPath },
  };
  return { sshd, folders: [...folders], settings };
}
