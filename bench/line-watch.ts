import { setTimeout as sleep } from 'node:timers/promises';
import type { WanLab } from '../infra/lab/wan/lab.ts';

const everyMs = 25;
/** Less than this at once is beats and acknowledgements. */
const smallBytes = 20_000;
const stretch = 4;

/** What a line carried from the first site to the second, by a clock that all processes of the machine share. */
export interface WatchedLine {
  /** Since when it has carried `fullMbps`; NaN when it never did. */
  fullRateAt: number;
  lastByteAt: number;
  rates: { at: number; mbps: number }[];
}

/** Looks at a line again and again until it is stopped. */
export function watchLine(lab: WanLab): { stop: (fullMbps: number) => Promise<WatchedLine> } {
  const samples: { at: number; bytes: number; clockMs: number }[] = [];
  const over = new AbortController();
  const watched = (async () => {
    while (!over.signal.aborted) {
      const [{ wireBytes, atMs }] = await lab.carried();
      samples.push({ at: performance.timeOrigin + performance.now(), bytes: wireBytes, clockMs: atMs });
      await sleep(everyMs);
    }
  })();
  return {
    stop: async (fullMbps) => {
      over.abort();
      await watched;
      const rates = samples.flatMap(({ at, bytes, clockMs }, place) => {
        const before = samples[place - stretch];
        if (place % stretch !== 0 || before === undefined) return [];
        return [{ at, mbps: ((bytes - before.bytes) * 8) / 1000 / (clockMs - before.clockMs) }];
      });
      const moved = samples.filter(({ bytes }, place) => bytes - (samples[place - 1]?.bytes ?? bytes) > smallBytes);
      return {
        fullRateAt: rates.find(({ mbps }) => mbps >= fullMbps)?.at ?? NaN,
        lastByteAt: moved.at(-1)?.at ?? NaN,
        rates,
      };
    },
  };
}
