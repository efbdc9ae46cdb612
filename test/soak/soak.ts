import { sshdMissing } from '../../infra/lab/sshd.ts';
import { Stage } from '../matrix/stage.ts';
import { makeSuspect } from '../matrix/suspects.ts';
import { MiB } from '../support/world.ts';
import { cross } from './crossing.ts';
import type { Crossing } from './crossing.ts';

/** Four chunks, as the matrix has it; the ring of records holds what the guest writes in two and a half minutes. */
const diskBytes = [9 * MiB, 4 * MiB];

/** A host where crossing after crossing ends with complaints has nothing more to tell. */
const mostBadInARow = 3;

/**
 * One VM goes back and forth in one world, as often as asked; the seed draws how, and what strikes it on the way. Ends before
 * that when nobody could tell where the VM is, or when nothing goes well any more.
 */
export async function* soak({
  crossings,
  seed,
  calm = false,
}: {
  crossings: number;
  seed: number;
  /** Nothing strikes. */
  calm?: boolean;
}): AsyncGenerator<Crossing> {
  if (sshdMissing !== null) throw new Error(`the soak goes by both methods, and ${sshdMissing}`);
  const stage = await Stage.open();
  try {
    const { world } = stage;
    const suspect = await makeSuspect(world, stage.secrets, `soak-${seed.toString(36)}`, { diskBytes });
    let source = world.london;
    let badInARow = 0;
    for (let number = 1; number <= crossings && badInARow < mostBadInARow; number += 1) {
      const crossing = await cross(stage, suspect, source, { number, seed: crossingSeed(seed, number), calm });
      yield crossing;
      badInARow = crossing.complaints.length === 0 ? 0 : badInARow + 1;
      const holder = world.up.hosts.find(({ host }) => host.name === crossing.end);
      if (holder === undefined) return;
      source = holder;
    }
  } finally {
    await stage.close();
  }
}

/** The seed of one crossing of a soak. */
export function crossingSeed(seed: number, number: number): number {
  return seed * 10_000 + number;
}
