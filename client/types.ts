import type { GarbageItem, VmReport } from '../activities/port.ts';
import type { DeedReport } from '../domain/deed-report.ts';
import type { MigrationRequest, MigrationStatus } from '../domain/migration.ts';
import type { TransferProgress } from '../domain/progress.ts';
import type { Receipt } from '../domain/receipt.ts';
import type { HostCard, VmSummary } from '../domain/survey.ts';
import type { AbortAnswer, FinishResult, RevertResult } from '../workflows/contract.ts';
import type { Plan } from '../workflows/plan.ts';

export interface ConnectOptions {
  /** Overrides the address of Temporal's own settings (profile, TEMPORAL_ADDRESS). */
  address?: string;
  namespace?: string;
  /** A profile of Temporal's configuration file. */
  profile?: string;
  /** How long a first answer of the server may take, in milliseconds; default 5,000. */
  connectMs?: number;
  /** How long a host may take to pick a question up before it counts as away, in milliseconds; default 4,000. */
  hostMs?: number;
}

/** A move by names; everything but `vm` and `to` has a default. */
export type MigrateRequest = Omit<MigrationRequest, 'migrationId' | 'vmUuid' | 'vmName' | 'from'> & {
  /** Name or uuid. */
  vm: string;
  /** Found by asking all hosts when it is not given. */
  from?: string;
  /** Repeating a start with the same id goes on with the same run; drawn when it is not given. */
  migrationId?: string;
};

/** All hosts' sides of a VM's deed. */
export interface DeedView {
  reports: DeedReport[];
  /** Hosts that did not answer: what they hold is unknown. */
  away: string[];
}

export interface PlanRequest {
  vm: string;
  from?: string;
  to: string;
  method?: MigrationRequest['method'];
  pool?: string;
  keepMemory?: boolean;
  /** As the move itself would name them: an open run of another migration refuses it. */
  migrationId?: string;
  supersede?: string;
}

/** A step that a host has in hand or is waited for, as the server sees it. */
export interface PendingStep {
  name: string;
  attempt: number;
  /** The last try's failure in one line. */
  failure: string | null;
}

/** One look at a migration: the workflow's own status joined with the bytes that the hosts report meanwhile. */
export interface MoveProgress {
  phase: MigrationStatus['phase'];
  verifiedBytes: number;
  totalBytes: number;
  /** The newest of what heartbeats and workflow say; null before bytes move. */
  transfer: TransferProgress | null;
  pending: PendingStep[];
  /** The newest trouble in one line: a failing step, a stream, the server away. */
  trouble: string | null;
  status: MigrationStatus;
  /** The workflow has ended; this is the iterator's last value. */
  closed: boolean;
}

export interface WatchOptions {
  /** Between two looks, in milliseconds; default 500. */
  intervalMs?: number;
  signal?: AbortSignal;
}

/** What every workflow about a VM offers. All methods throw SealiftError only. */
export interface TaskHandle<Result> {
  readonly workflowId: string;
  readonly vmUuid: string;
  status(): Promise<MigrationStatus>;
  /** Looks again and again until the workflow has ended, also while the server is away. */
  progress(options?: WatchOptions): AsyncIterableIterator<MoveProgress>;
  /** Also when the workflow was terminated and a host still has its run: then at the hosts, without a workflow. */
  abort(): Promise<AbortAnswer>;
  /** A stuck guest: gives it more time. */
  wait(minutes: number): Promise<void>;
  /** A stuck guest: pulls its plug; `typedName` must be the VM's name; `by` says who, for the host's log. */
  destroy(typedName: string, by: string): Promise<void>;
  /** Waits for the end; a failed one throws the error it ended with. */
  result(): Promise<Result>;
}

export interface MoveHandle extends TaskHandle<Receipt> {
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Bytes per second; null lifts the limit. */
  throttle(bytesPerSecond: number | null): Promise<void>;
  approve(who: { by: string }): Promise<void>;
  /** After the cede, while a step at the destination keeps failing: ends the migration without a receipt, so that `revert` can begin. */
  leave(): Promise<void>;
}

export interface MoveSummary {
  workflowId: string;
  kind: 'migrate' | 'revert' | 'finish';
  vmUuid: string;
  vmName: string | null;
  from: string | null;
  to: string | null;
  method: string | null;
  phase: string | null;
  token: number | null;
  running: boolean;
  startedAt: string;
  closedAt: string | null;
}

export interface HostSummary {
  name: string;
  /** Null for a host that registered but whose card nobody can tell now. */
  card: HostCard | null;
  /** Its worker does not answer. */
  away: boolean;
  registeredAt: string | null;
}

/** One VM on one host. */
export type VmOnHost = VmSummary & { host: string };
export interface VmList {
  vms: VmOnHost[];
  /** Hosts that did not answer, so that what they hold is unknown. */
  away: string[];
}

export interface AdoptRequest {
  vm: string;
  /** Where it runs. */
  host: string;
  /** For the host's log. */
  by: string;
  /** Hosts that may stay unasked whether they have the VM, by name: whoever says so answers for it. Logged. */
  withoutAsking?: string[];
}

export interface AdoptResult {
  vmUuid: string;
  lineage: string;
  token: number;
  /** Hosts that could not be asked whether they have the VM, all of them named in `withoutAsking`. */
  notAsked: string[];
}

export interface RevertPlan {
  vmUuid: string;
  vmName: string;
  /** Holds the VM now. */
  from: string;
  /** Gets it back. */
  to: string;
  /** What the VM wrote since then (ISO 8601) would stay behind at `from`; null when no receipt tells. */
  writesSince: string | null;
}

export interface ScheduleRequest {
  id: string;
  /** A VM's name, or a host's evacuation. */
  what: { vm: string } | 'evacuation';
  from: string;
  to: string;
  /** Once at a moment (ISO 8601), or again and again by a cron line in `timezone` (default UTC). */
  when: { at: string } | { cron: string; timezone?: string };
  /** Starts are spread over this time; default 0 for a moment, 60,000 for a cron line. */
  jitterMs?: number;
  /** A start missed by more (server down) is dropped; default 3,600,000. */
  catchUpMs?: number;
  note?: string;
  options?: Omit<MigrateRequest, 'vm' | 'from' | 'to' | 'migrationId' | 'supersede'>;
}

export interface ScheduleSummary {
  id: string;
  what: { vm: string } | 'evacuation' | null;
  from: string | null;
  to: string | null;
  paused: boolean;
  note: string | null;
  next: string[];
  recent: { at: string; workflowId: string }[];
  /** What came of the newest start in one line; null when there was none, or Temporal has forgotten it. */
  outcome: string | null;
}

export interface Schedules {
  /** Gives what is doubtful about it in lines: hosts and VMs that nobody knows now. */
  create(request: ScheduleRequest): Promise<string[]>;
  list(): Promise<ScheduleSummary[]>;
  pause(id: string, note?: string): Promise<void>;
  resume(id: string, note?: string): Promise<void>;
  trigger(id: string): Promise<void>;
  delete(id: string): Promise<void>;
}

export interface GarbageRemoval {
  removed: GarbageItem[];
  refused: { id: string; why: string }[];
}

/** The typed client. All methods throw SealiftError only; see docs/errors.md. */
export interface Sealift {
  readonly address: string;
  readonly namespace: string;
  /** Starts a move and comes back when Temporal has it. */
  migrate(request: MigrateRequest): Promise<MoveHandle>;
  /** The newest migration of a VM, by name or uuid. */
  handle(vm: string): Promise<MoveHandle>;
  /** What would happen; changes nothing. */
  plan(request: PlanRequest): Promise<Plan>;
  /** What a revert would do; changes nothing. */
  planRevert(vm: string): Promise<RevertPlan>;
  /** Takes the VM back to the host it came from. `confirm` is its name, typed. */
  revert(request: {
    vm: string;
    confirm: string;
    graceMs?: number;
    onStuckGuest?: 'wait' | 'abort' | 'destroy';
    timings?: MigrationRequest['timings'];
  }): Promise<TaskHandle<RevertResult>>;
  /** Ends the hold: the fenced copy at the source becomes garbage that `removeGarbage` may remove. */
  finish(request: { vm: string; by: string }): Promise<TaskHandle<FinishResult>>;
  /** Migrations, reverts and finishes, newest first. */
  list(filter?: { open?: boolean; vm?: string; limit?: number }): Promise<MoveSummary[]>;
  hosts(): Promise<HostSummary[]>;
  /** The claims of operators that a host has made or heeded, a line each. */
  claims(host: string): Promise<string[]>;
  vms(host?: string): Promise<VmList>;
  inspect(request: { vm: string; host?: string }): Promise<VmReport & { host: string }>;
  /** Every host's side of a VM's deed, with what each permits now; each is shown what the others have signed. Throws 'unknown-vm'. */
  deed(vm: string): Promise<DeedView>;
  adopt(request: AdoptRequest): Promise<AdoptResult>;
  /** Released and returned copies, landings that came to nothing, old containers. */
  garbage(host: string): Promise<GarbageItem[]>;
  /** Removes them for good; what may still be needed, or is open, is refused by itself. */
  removeGarbage(request: { host: string; ids: string[]; by: string }): Promise<GarbageRemoval>;
  /** From the hosts' own databases, beyond Temporal's retention; the same receipt of both hosts is given once. */
  receipts(filter?: { vm?: string; migrationId?: string; host?: string }): Promise<Receipt[]>;
  readonly schedules: Schedules;
  close(): Promise<void>;
}
