import { z } from 'zod';
import { digest, hostName, lineage, method, migrationId, poolName, token, vmName, vmUuid } from './names.ts';
import { phase, transferProgress } from './progress.ts';
import { concern } from './survey.ts';

/** What is checked at the destination after the start; the domain being there and not restarting is always checked. */
export const probeSpec = z.strictObject({
  /** Wait this long for all checks to pass. */
  limitMs: z.int().default(60_000),
  diskWrites: z.boolean().default(true),
  /** It has sent something by one of its vifs. */
  vifs: z.literal(true).optional(),
  /** What it writes on its console once it is up. */
  console: z.string().min(1).max(200).optional(),
  ping: z.string().max(255).optional(),
  tcp: z.strictObject({ address: z.string().max(255), port: z.int() }).optional(),
  /** Name of a command in the destination's host file; exit 0 passes. A name and no argument vector: the orchestrator runs nothing in dom0. */
  command: z
    .string()
    .regex(/^[a-z0-9][a-z0-9_-]{0,31}$/, 'not the name of a probe')
    .optional(),
});
export type ProbeSpec = z.infer<typeof probeSpec>;

/** Time limits of the workflow's steps; tests shorten them. */
export const timings = z.strictObject({
  /** A step not taken by its host's worker within this time is withdrawn; a late worker finds nothing that still acts. */
  pickUpMs: z.int().default(60_000),
  heartbeatMs: z.int().default(15_000),
  /** Pause between two tries of a step whose host is away; doubles up to 20 times itself. */
  awayPauseMs: z.int().default(5_000),
  retryInitialMs: z.int().default(1_000),
  retryMaximumMs: z.int().default(60_000),
});
export type Timings = z.infer<typeof timings>;

export const migrationInput = z.strictObject({
  migrationId,
  vmUuid,
  vmName,
  from: hostName,
  to: hostName,
  method: method.default('sealed'),
  pool: poolName.optional(),
  /** The guest is saved with its memory and goes on at the destination where it was, instead of being shut down and booted there. */
  keepMemory: z.boolean().default(false),
  /** How long the guest may take to shut down before `onStuckGuest` decides. */
  graceMs: z.int().min(0).default(120_000),
  onStuckGuest: z.enum(['wait', 'abort', 'destroy']).default('wait'),
  /** `approve` holds the move before the VM is stopped until somebody approves; a window waits for its begin and refuses after its end. */
  cutover: z
    .union([z.enum(['now', 'approve']), z.strictObject({ notBefore: z.iso.datetime(), notAfter: z.iso.datetime() })])
    .default('now'),
  limitBytesPerSecond: z.number().positive().optional(),
  streams: z.int().min(1).max(64).optional(),
  probe: probeSpec.prefault({}),
  /** The migration whose open run this one takes the place of. */
  supersede: migrationId.optional(),
  timings: timings.prefault({}),
});
export type MigrationInput = z.infer<typeof migrationInput>;
export type MigrationRequest = z.input<typeof migrationInput>;

/** The answer of the `status` query: everything that `show` and `watch` print, except live bytes (those are heartbeat details). */
export const migrationStatus = z.strictObject({
  migrationId,
  kind: z.enum(['migrate', 'revert', 'finish']),
  vmUuid,
  vmName,
  from: hostName,
  to: hostName,
  method,
  phase,
  /** What it waits for and how the wait ends, one line each; empty when it does not wait. */
  waits: z.array(z.string()),
  /** It goes on only when a person acts; the lines name the commands. Other waits end by themselves. */
  waitsForPerson: z.boolean(),
  done: z.array(z.strictObject({ phase: z.string(), at: z.string(), ms: z.number(), note: z.string() })),
  lineage: lineage.nullable(),
  token: token.nullable(),
  root: digest.nullable(),
  concerns: z.array(concern),
  paused: z.boolean(),
  approvedBy: z.string().nullable(),
  /** The last progress the workflow was told of; heartbeats are newer. */
  progress: transferProgress.nullable(),
  error: z.strictObject({ type: z.string(), message: z.string(), hint: z.string().nullable() }).nullable(),
});
export type MigrationStatus = z.infer<typeof migrationStatus>;

/** Workflow id of every move, revert and finish of a VM. */
export function migrationWorkflowId(uuid: string): string {
  return `migrate/${uuid}`;
}
/** Task queue of a host's worker. */
export function hostTaskQueue(host: string): string {
  return `host.${host}`;
}
/** Task queue of the control worker. */
export const controlTaskQueue = 'sealift';
