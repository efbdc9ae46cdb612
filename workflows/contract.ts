import { z } from 'zod';
import { migrationInput, timings } from '../domain/migration.ts';
import { hostName, migrationId, vmName, vmUuid } from '../domain/names.ts';
import type { HostCard } from '../domain/survey.ts';

/** What `revertVm` starts with. `from` holds the deed now; `to` is where the VM came from and still has its fenced copy. */
export const revertInput = z.strictObject({
  /** Names this workflow; the run it takes back is found by the hosts themselves. */
  migrationId,
  vmUuid,
  vmName,
  /** The VM's name as somebody typed it: writes made since the move stay behind, so they are asked for it. */
  confirm: z.string(),
  from: hostName,
  to: hostName,
  graceMs: z.int().min(0).default(120_000),
  onStuckGuest: z.enum(['wait', 'abort', 'destroy']).default('wait'),
  timings: timings.prefault({}),
});
export type RevertRequest = z.input<typeof revertInput>;

export interface RevertResult {
  vmUuid: string;
  vmName: string;
  /** The host that holds the deed again. */
  host: string;
  started: boolean;
  /** What the VM wrote between these two moments (ISO 8601) stays behind on `host`'s disks; null when it never ran there. */
  leftBehind: { host: string; since: string; until: string } | null;
}

export const finishInput = z.strictObject({
  migrationId,
  vmUuid,
  vmName,
  /** Keeps the fenced copy that is released. */
  host: hostName,
  /** Holds the deed. */
  holder: hostName,
  /** By which it handed the VM over. */
  token: z.int().positive(),
  /** Who asked for it, for the hosts' logs. */
  by: z.string().min(1).max(200),
  timings: timings.prefault({}),
});
export type FinishRequest = z.input<typeof finishInput>;

export interface FinishResult {
  vmUuid: string;
  vmName: string;
  host: string;
  /** Ids of the garbage items that the released copy became. */
  released: string[];
}

/** A move without the names that are only known when it starts. */
const moveOptions = migrationInput.omit({ migrationId: true, vmUuid: true, vmName: true, from: true, supersede: true });

/** What a schedule starts: one VM's move, or the move of every VM that a host holds. */
export const scheduledMoveInput = z.strictObject({
  what: z.union([z.strictObject({ vm: vmName }), z.literal('evacuation')]),
  from: hostName,
  options: moveOptions,
});
export type ScheduledMoveInput = z.infer<typeof scheduledMoveInput>;
export type ScheduledMoveRequest = z.input<typeof scheduledMoveInput>;

export interface ScheduledMoveResult {
  started: { vmName: string; workflowId: string }[];
  /** VMs left alone, each with the reason. */
  skipped: { vmName: string; reason: string }[];
}

/** What the directory keeps of a host between its worker's starts. */
export interface HostEntry {
  card: HostCard;
  /** When the worker last registered, ISO 8601. */
  registeredAt: string;
}

export interface AbortAnswer {
  /** `aborted`: the source is as it was. `under-way`: the source is away; the abort goes on by itself when it is back. */
  outcome: 'aborted' | 'under-way';
  /** Whether the VM had to be started again at the source. */
  restarted: boolean;
}

/** Every update that the workflows about a VM take: its name, argument and answer. */
export interface Updates {
  pause: { ask: []; answer: undefined };
  resume: { ask: []; answer: undefined };
  throttle: { ask: [bytesPerSecond: number | null]; answer: undefined };
  approve: { ask: [{ by: string }]; answer: undefined };
  wait: { ask: [minutes: number]; answer: undefined };
  destroy: { ask: [typedName: string, by: string]; answer: undefined };
  abort: { ask: []; answer: AbortAnswer };
  leave: { ask: []; answer: undefined };
}
export type UpdateName = keyof Updates;

/** The directory's entry of a host. */
export const hostWorkflowId = (host: string): string => `host/${host}`;
