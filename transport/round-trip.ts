import { onLine } from './line.ts';
import { openingKind } from './opening.ts';

const pings = 5;

/**
 * The round trip to a landing in milliseconds: the least of five pings on one connection; they need no run. Throws
 * 'landing-away', 'too-old'.
 */
export async function measureRoundTrip(landing: { address: string; port: number }): Promise<number> {
  return onLine(landing, async (line) => {
    let leastMs = Infinity;
    for (let ping = 0; ping < pings; ping += 1) {
      const startedAt = performance.now();
      await line.ask(openingKind.ping, Buffer.alloc(8), openingKind.pong);
      leastMs = Math.min(leastMs, performance.now() - startedAt);
    }
    return leastMs;
  });
}
