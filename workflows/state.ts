import type { TransferSummary } from '../activities/port.ts';
import type { MigrationStatus, Timings } from '../domain/migration.ts';
import type { Phase } from '../domain/progress.ts';
import type { ReceiptBody } from '../domain/receipt.ts';
import type { Deed, Offer, Ready, RunKey, Signed } from '../domain/statement.ts';
import type { DestinationSurvey, LinkSurvey, SourceSurvey } from '../domain/survey.ts';

/** What a migration, a revert or a finish is about; the same for its whole life. */
export interface About {
  kind: MigrationStatus['kind'];
  migrationId: string;
  vmUuid: string;
  vmName: string;
  from: string;
  to: string;
  method: MigrationStatus['method'];
  graceMs: number;
  onStuckGuest: 'wait' | 'abort' | 'destroy';
  /** Its guest is to be saved, not shut down. */
  keepMemory?: boolean;
  timings: Timings;
}

/** How a wait ends: by the clock, when the world is as it should be again, or by a person's order. */
export type WaitKind = 'clock' | 'itself' | 'person';

/** Why a task ends without what it was for. */
export interface Trouble {
  type: string;
  message: string;
  hint: string | null;
  /** Wanted by a person (abort, cancel) and not met with. */
  aborted: boolean;
}

/** What each finished step left behind; a step with an outcome is not run again. */
export interface Outcomes {
  survey: { source: SourceSurvey; destination: DestinationSurvey; link: LinkSurvey };
  plan: { placement: DestinationSurvey['placement'] };
  open: { offer: Signed<Offer> };
  receive: { key: Signed<RunKey> };
  gate: { at: number };
  admit: { at: number };
  stop: { wasRunning: boolean; orderedAt: number };
  fence: { at: number };
  sealed: { containerBytes: number };
  sent: TransferSummary;
  unsealed: TransferSummary;
  ready: { ready: Signed<Ready> };
  cede: { deed: Signed<Deed>; root: string };
  accept: { at: number };
  start: { started: boolean; changes: string[]; at: number; memory?: 'kept' | 'lost' | undefined };
  probe: { checks: ReceiptBody['probe'] };
  begin: { migrationId: string; ranSince: string | null; wasRunning: boolean };
  giveBack: { deed: Signed<Deed>; at: number };
  takeBack: { migrationId: string };
}

/** Everything that a workflow remembers of its task, in JSON: what one run hands to the next when it continues as new. */
export interface TaskState {
  phase: Phase;
  phaseSince: number;
  /** When the phase's last step ended; null while one is under way. */
  phaseEnded: number | null;
  /** What the phase's steps said of themselves. */
  notes: string[];
  waits: string[];
  /** `clock`: a calm wait, which is shown as the phase it is in. `person`: it goes on only when somebody acts. */
  waitKind: WaitKind;
  done: MigrationStatus['done'];
  concerns: MigrationStatus['concerns'];
  lineage: string | null;
  token: number | null;
  root: string | null;
  progress: MigrationStatus['progress'];
  trouble: Trouble | null;
  /** What people asked for. `paused` undefined: nobody did. `limitBytesPerSecond` undefined: as the input has it; null: none. */
  orders: { paused?: boolean; limitBytesPerSecond?: number | null; approvedBy: string | null };
  /** A stuck guest: null when none, else what a person decided, once they did. */
  stuck: { decision: { waitMs: number } | { destroyedBy: string } | null } | null;
  /** The source may have been given `openRun`, whatever came of it. */
  opening: boolean;
  /** The run whose return the holder may have been told to begin, whatever came of it. */
  returning: string | null;
  /** The compensation has begun, for this reason. */
  undoing: Trouble | null;
  /** The host's record says that the deed has left it: forward only. */
  passed: boolean;
  /** A person ended it after that. */
  left: boolean;
  readyRounds: number;
  wireBytes: number;
  retries: number;
  outcomes: Partial<Outcomes>;
  /** The search attributes as last written. */
  shown: { phase: Phase | null; token: number | null };
}

export function newState(now: number): TaskState {
  return {
    phase: 'survey',
    phaseSince: now,
    phaseEnded: null,
    notes: [],
    waits: [],
    waitKind: 'itself',
    done: [],
    concerns: [],
    lineage: null,
    token: null,
    root: null,
    progress: null,
    trouble: null,
    orders: { approvedBy: null },
    stuck: null,
    opening: false,
    returning: null,
    undoing: null,
    passed: false,
    left: false,
    readyRounds: 0,
    wireBytes: 0,
    retries: 0,
    outcomes: {},
    shown: { phase: null, token: null },
  };
}
