import { join, resolve } from 'node:path';

const data = resolve(import.meta.dirname, '../../../.sealift');

/** Where images and the snapshot of a clean pair are kept: 2.3 GB, all of which may be removed at any time that no lab is up. */
export const cacheFolder = join(data, 'cache/xen-lab');
/** Everything that a lab writes while it is up. */
export const labFolder = join(data, 'lab-xen');
export const logFolder = join(labFolder, 'logs');
/** What a lab that is up says of itself. */
export const recordPath = join(labFolder, 'lab.json');
/** The key of both hosts, as ssh wants it. */
export const knownHostsPath = join(labFolder, 'known_hosts');
/** The disk with Sealift's worker. */
export const workerDiskPath = join(labFolder, 'worker.ext4');

export const hostNames = ['xen-1', 'xen-2'] as const;
export type HostName = (typeof hostNames)[number];

/** Addresses of lab `number` of this machine, which allows for ten. */
export function addresses(number: number) {
  return {
    /** Between this machine and each dom0: SSH, iSCSI, Temporal. Never shaped. */
    management: (place: HostName | 'outside') => `10.77.${String(number)}.${lastByte(place)}`,
    /** Between the hosts and their guests: what `setLink` shapes. */
    link: (place: HostName | 'outside') => `10.78.${String(number)}.${lastByte(place)}`,
  };
}

function lastByte(place: HostName | 'outside'): string {
  return place === 'outside' ? '254' : place.slice(-1);
}
