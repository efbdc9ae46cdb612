import { setFault, strikeCount } from '../../../infra/lab/lab-host.ts';
import type { GuestFault } from '../../../infra/lab/faults.ts';
import type { Point } from '../points.ts';
import type { Run } from '../run.ts';
import type { Fault } from './fault.ts';

/** Guests that do not do what they are asked to. */
export const guestFaults: Fault[] = [
  { name: 'guest ignores the shutdown', strike: (run) => spoil(run, { ignoreShutdown: true }), at: beforeStop },
  { name: 'guest reboots', strike: (run) => spoil(run, { rebootInsteadOfHalt: true }), at: beforeStop },
  { name: 'guest crashes', passes: true, strike: (run) => spoil(run, { crashInsteadOfHalt: true }), at: beforeStop },
  { name: 'guest halts slowly', strike: (run) => spoil(run, { slowShutdownMs: 4_000 }), at: beforeStop },
];

/** Later than that nobody asks the guest any more. */
function beforeStop({ name }: Point): boolean {
  return /(survey|open|receive|admit|before stop|revert|before revert stop)$/.test(name);
}

function spoil(run: Run, fault: GuestFault): void {
  const { stage, suspect } = run;
  willMeetOnHosts(run);
  for (const { host } of stage.world.up.hosts) setFault(host.lab.root, { ...fault, vm: suspect.vm.name, times: 1 });
}

/** Tells of a fault that is laid out now on stand-in hosts, to strike on one of them. */
export function willMeetOnHosts({ laid, stage: { world } }: Run): void {
  const count = (): number => world.up.hosts.reduce((sum, { host }) => sum + strikeCount(host.lab.root), 0);
  const before = count();
  laid.push(() => count() > before);
}
