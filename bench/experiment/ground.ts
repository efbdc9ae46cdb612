import { mkdirSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import type { WanLab } from '../../infra/lab/wan/lab.ts';
import { bringUpWanLab } from '../../infra/lab/wan/lab.ts';
import { End } from './end.ts';
import { joinGroup, removeLeftGroups } from './meter.ts';

/** What all ways share: the line, and the two ends of it. */
export interface Ground {
  lab: WanLab;
  source: End;
  destination: End;
  /** Takes everything. */
  folder: string;
  leave: () => Promise<void>;
}

/** Brings the line and its ends up in a folder, which is emptied before: a run that was killed may have left something. */
export async function enterGround(inFolder: string): Promise<Ground> {
  await removeLeftGroups();
  const leaveGroup = joinGroup();
  const folder = resolve(inFolder, 'work');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const lab = await bringUpWanLab();
  const [lon, fra] = lab.sites;
  const source = new End('source', lon, folder);
  const destination = new End('destination', fra, folder);
  const leave = async (): Promise<void> => {
    for (const end of [source, destination]) await end.remove();
    await lab.down();
    await leaveGroup();
    await removeLeftGroups();
    rmSync(folder, { recursive: true, force: true });
  };
  return { lab, source, destination, folder, leave };
}
