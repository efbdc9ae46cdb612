import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { addDeedAbort, addDeedGiveBack, addDeedHeed, addDeedTake } from './deed-by-hand.ts';
import { addDeedClaim } from './deed-claim.ts';
import { addDeedExplain, addDeedShow } from './deed-show.ts';

export function addDeed(program: Command, cli: Cli): void {
  const deed = program
    .command('deed')
    .description('the right to run a VM: see it, understand it, repair it by hand, on the hosts and without Temporal');
  for (const add of [
    addDeedShow,
    addDeedExplain,
    addDeedAbort,
    addDeedGiveBack,
    addDeedTake,
    addDeedClaim,
    addDeedHeed,
  ]) {
    add(deed, cli);
  }
}
