import { mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { processFacts } from '../../infra/lab/process.ts';
import { startCharon } from '../../infra/lab/wan/charon.ts';
import type { Charon } from '../../infra/lab/wan/charon.ts';
import type { WanLab } from '../../infra/lab/wan/lab.ts';
import { bringUpWanLab } from '../../infra/lab/wan/lab.ts';
import { End } from './end.ts';
import { joinGroup, removeLeftGroups } from './meter.ts';

/** What a way has: the line, which it shares with the others, and two ends of its own, so that it is not charged for what others have running. */
export interface Ground {
  lab: WanLab;
  source: End;
  destination: End;
  /** Takes everything. */
  folder: string;
  /** The strongSwan of each site, started when it is first asked for, and again when it has died. Ways share it: from each asking on, it is metered on the ground that asked. */
  strongSwan: () => Promise<readonly [Charon, Charon]>;
}

/** The line with the grounds of all ways. */
export interface Stage {
  lab: WanLab;
  /** The ground of that name, made when it is first asked for. */
  ground: (name: string) => Ground;
  leave: () => Promise<void>;
}

/** Brings the line up, and a folder for everything, which is emptied before: a run that was killed may have left something. */
export async function enterStage(inFolder: string): Promise<Stage> {
  await removeLeftGroups();
  const leaveGroup = joinGroup();
  const work = resolve(inFolder, 'work');
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true, mode: 0o700 });
  const lab = await bringUpWanLab();
  const [lon, fra] = lab.sites;
  const grounds = new Map<string, Ground>();
  let charons: Promise<readonly [Charon, Charon]> | null = null;
  const startStrongSwan = (): Promise<readonly [Charon, Charon]> =>
    (charons ??= Promise.all([
      startCharon(lon, join(work, 'strongswan-lon')),
      startCharon(fra, join(work, 'strongswan-fra')),
    ]));
  const ground = (name: string): Ground => {
    const known = grounds.get(name);
    if (known !== undefined) return known;
    const folder = join(work, name);
    const source = new End(`${name}-source`, lon, join(folder, 'source'));
    const destination = new End(`${name}-destination`, fra, join(folder, 'destination'));
    const made: Ground = {
      lab,
      source,
      destination,
      folder,
      strongSwan: async () => {
        const both = await startStrongSwan();
        for (const charon of both) if (processFacts(charon.pid) === null) await charon.start();
        source.meter.enter(both[0].pid);
        destination.meter.enter(both[1].pid);
        return both;
      },
    };
    grounds.set(name, made);
    return made;
  };
  const leave = async (): Promise<void> => {
    for (const charon of (await charons) ?? []) await charon.kill();
    for (const { source, destination } of grounds.values())
      for (const end of [source, destination]) await end.meter.remove();
    await lab.down();
    await leaveGroup();
    await removeLeftGroups();
    rmSync(work, { recursive: true, force: true });
  };
  return { lab, ground, leave };
}
