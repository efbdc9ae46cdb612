import type { ObservedBoot } from '../../../infra/lab/observer.ts';
import type { Suspect } from './suspect.ts';

/**
 * The records of all boots on all hosts, as the guest told them, are one chain: each goes on behind the one before, also those
 * which the ring on the disk holds no longer. Those that a revert left behind belong to no chain.
 */
export function judgeChain(boots: ObservedBoot[], { vm, leftBehind }: Suspect): string[] {
  const complaints: string[] = [];
  let last = 0;
  for (const boot of boots) {
    if (boot.uuid !== vm.uuid || leftBehind.has(boot)) continue;
    boot.records.forEach(({ sequence }, index) => {
      // A guest that dies may have synced a record that it did not come to tell.
      const follows = index === 0 ? sequence > last : sequence === last + 1;
      if (!follows)
        complaints.push(
          `${vm.name}: record ${String(sequence)} of domain ${String(boot.domid)} in ${boot.root} came after ${String(last)}`,
        );
      last = sequence;
    });
  }
  return complaints;
}
