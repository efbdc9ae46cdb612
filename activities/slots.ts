import { SealiftError } from '../domain/error.ts';
import type { Deeds } from '../deed/deeds.ts';
import type { DeedRun } from '../deed/record.ts';
import { findNotes, updateNotes } from './notes.ts';

/** Gives the run a slot, unless it has one: at most `moves` at once, until the run ends here. Throws `host-busy`, to be tried again. */
export function takeSlot(deeds: Deeds, migrationId: string, limit: { host: string; moves: number }): void {
  const others = deeds.openRuns().filter((run) => run.migrationId !== migrationId && hasSlot(deeds, run));
  if (others.length >= limit.moves) {
    const names = others.map(({ lineage }) => deeds.byLineage(lineage)?.vmName ?? lineage).join(', ');
    throw new SealiftError('host-busy', `${limit.host} moves ${names} and allows ${String(limit.moves)} at once`, {
      hint: `if one of them was given up while ${limit.host} could not be reached, its place is freed by: sealift gc`,
    });
  }
  updateNotes(deeds, migrationId, { admitted: true });
}

/**
 * To be called when a host's process starts: a landing that its source gave up while this host was away would keep its slot
 * for good. One that goes on does so without.
 */
export function freeLandingSlots(deeds: Deeds): void {
  for (const run of deeds.openRuns()) {
    if (run.role === 'destination' && hasSlot(deeds, run)) updateNotes(deeds, run.migrationId, { admitted: false });
  }
}

/** READY frees the destination's: no byte comes any more. */
function hasSlot(deeds: Deeds, run: DeedRun): boolean {
  if (run.role === 'destination' && run.root !== null) return false;
  return findNotes(deeds, run.migrationId)?.admitted === true;
}
