import { rm } from 'node:fs/promises';
import type { Clock } from '../clock.ts';
import type { Ground } from '../ground.ts';
import { placePayload, verifyPayload } from '../payload.ts';
import type { WayName } from '../way-names.ts';
import type { Way } from './way.ts';

/** Where a peer finds the payload, and where it is to be. */
export interface Errand {
  from: string;
  to: string;
  clock: Clock;
  signal: AbortSignal;
}

/**
 * Another program that brings a file over, and only that: no VM is stopped or started, nothing is read back. What it has written is brought onto the disk in
 * a phase of its own.
 */
export function peer(
  name: WayName,
  lacks: () => string[],
  start: (ground: Ground) => Promise<{ carry: (errand: Errand) => Promise<void>; stop?: () => Promise<void> }>,
): Way {
  return {
    name,
    lacks,
    start: async (ground) => {
      const { source, destination } = ground;
      const [from, to] = [source.path('peer.raw'), destination.path('peer.raw')];
      const { carry, stop } = await start(ground);
      return {
        cross: async (payload, clock, signal) => {
          try {
            await placePayload(payload, from);
            await carry({ from, to, clock, signal });
            await clock.bytes('sync', () => destination.sync(to));
            await clock.outside(() => verifyPayload(payload, to));
          } finally {
            await clock.outside(() => Promise.all([from, to].map((path) => rm(path, { force: true }))));
          }
        },
        stop: async () => stop?.(),
      };
    },
  };
}
