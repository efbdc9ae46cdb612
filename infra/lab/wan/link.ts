/** How a line is, both ways alike. What is not there is as it comes. */
export interface Link {
  roundTripMs?: number;
  rateMbps?: number;
  /** Of each packet of MTU size, one way. */
  lossPercent?: number;
  /** A packet takes up to so much longer, one way; none overtakes another by that. */
  jitterMs?: number;
  /** So many are overtaken by those of the millisecond behind them. */
  reorderPercent?: number;
  /** What may wait in front of the line, each side; what comes then is lost. Without it what the line carries in a round trip, and 100 ms at least. */
  queueBytes?: number;
  /** Nothing passes. */
  outage?: boolean;
}

const leastQueueMs = 100;

/** The settings of emulator.c for it, all of them. */
export function settingsOf(link: Link): Record<string, number> {
  const { roundTripMs = 0, rateMbps = 0, lossPercent = 0, jitterMs = 0, reorderPercent = 0, outage = false } = link;
  const queueBytes = link.queueBytes ?? ((rateMbps * 1e6) / 8) * (Math.max(roundTripMs, leastQueueMs) / 1000);
  return {
    delay_us: (roundTripMs / 2) * 1000,
    rate: rateMbps * 1e6,
    queue: queueBytes,
    loss: lossPercent * 1e4,
    jitter_us: jitterMs * 1000,
    reorder: reorderPercent * 1e4,
    outage: outage ? 1 : 0,
  };
}
