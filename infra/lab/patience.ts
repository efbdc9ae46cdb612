import { setTimeout as sleep } from 'node:timers/promises';

/** Asks `met` every few milliseconds until it says yes; false when `limitMs` are over before. */
export async function until(limitMs: number, met: () => boolean): Promise<boolean> {
  const end = performance.now() + limitMs;
  while (!met()) {
    if (performance.now() > end) return false;
    await sleep(5);
  }
  return true;
}
