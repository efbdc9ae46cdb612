import { mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
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
  const ground = (name: string): Ground => {
    const folder = join(work, name);
    const made = grounds.get(name) ?? {
      lab,
      source: new End(`${name}-source`, lon, join(folder, 'source')),
      destination: new End(`${name}-destination`, fra, join(folder, 'destination')),
      folder,
    };
    grounds.set(name, made);
    return made;
  };
  const leave = async (): Promise<void> => {
    for (const { source, destination } of grounds.values())
      for (const end of [source, destination]) await end.meter.remove();
    await lab.down();
    await leaveGroup();
    await removeLeftGroups();
    rmSync(work, { recursive: true, force: true });
  };
  return { lab, ground, leave };
}
