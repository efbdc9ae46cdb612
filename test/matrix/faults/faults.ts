import { diskFaults } from './disks.ts';
import type { Fault } from './fault.ts';
import { guestFaults } from './guests.ts';
import { networkFaults } from './network.ts';
import { orderFaults } from './orders.ts';
import { processFaults } from './processes.ts';

/** A run that nothing happens to. */
export const nothing: Fault = { name: 'nothing', strike: () => undefined };

export const faults: Fault[] = [...processFaults, ...networkFaults, ...diskFaults, ...guestFaults, ...orderFaults];
