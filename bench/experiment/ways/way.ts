import type { Ground } from '../ground.ts';
import type { Payload } from '../payload.ts';
import type { Clock } from '../clock.ts';
import type { WayName } from '../way-names.ts';

/** How a payload crosses from the source to the destination. */
export interface Way {
  name: WayName;
  /** The name of its ground, where it has one together with others. */
  groundName?: string;
  /** What this machine lacks for it, a sentence each. */
  lacks: () => string[];
  /** Gets ready for any number of crossings; not timed. */
  start: (ground: Ground) => Promise<StartedWay>;
}

export interface StartedWay {
  /** Brings the payload over, each phase by the clock, and sees that the destination has its bytes. Throws when it fails, and when `signal` is aborted. */
  cross: (payload: Payload, clock: Clock, signal: AbortSignal) => Promise<void>;
  stop: () => Promise<void>;
}
