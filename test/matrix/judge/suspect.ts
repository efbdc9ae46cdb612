import type { ObservedBoot } from '../../../infra/lab/observer.ts';
import type { TestVm } from '../../support/world.ts';

/** A VM under judgement: what was known of it before anything happened to it. */
export interface Suspect {
  vm: TestVm;
  /** SHA-256 of its first disk, which no guest writes to; null when it has no such disk. */
  content: string | null;
  /** Boots whose records stayed behind on a copy that was given up by a revert, with the token by which that copy had come. */
  leftBehind: Map<ObservedBoot, number>;
  /** Migrations whose copies somebody asked to have removed. */
  givenFree: Set<string>;
  /** Workflow runs that had ended when their history was read. */
  readHistories: Set<string>;
  /** Whether it ran before anything happened. */
  ran: boolean;
}
