import { onLine } from './line.ts';
import type { LandingAddress } from './line.ts';
import { leastPingBytes, openingKind } from './opening.ts';

const pings = 5;

/**
 * The round trip to a landing in milliseconds: the least of five pings on one connection; they need no run. `bytes`: of each, which
 * comes back as it is. Throws 'landing-away', 'too-old'.
 */
export async function measureRoundTrip(landing: LandingAddress, bytes = leastPingBytes): Promise<number> {
  return onLine(landing, async (line) => {
    let leastMs = Infinity;
    for (let ping = 0; ping < pings; ping += 1) {
      const startedAt = performance.now();
      await line.ask(openingKind.ping, Buffer.alloc(bytes), openingKind.pong);
      leastMs = Math.min(leastMs, performance.now() - startedAt);
    }
    return leastMs;
  });
}
