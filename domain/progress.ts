import { z } from 'zod';
import { vdev } from './names.ts';

/** What a transfer says of itself, in heartbeats and to watchers. Counts verified, durable bytes only (I10). */
export const transferProgress = z.strictObject({
  step: z.enum(['seal', 'send', 'unseal', 'read-back', 'memory']),
  disks: z.array(z.strictObject({ vdev, verifiedBytes: z.int(), totalBytes: z.int() })),
  /** Bytes put on the wire (or in the container) so far in this attempt, headers included. */
  wireBytes: z.int(),
  /** Plain bytes made durable per second over the last seconds. */
  bytesPerSecond: z.number(),
  streams: z.int(),
  /** Streams lost and chunks sent again. */
  retries: z.int(),
  paused: z.boolean(),
  limitBytesPerSecond: z.number().nullable(),
  /** The newest trouble in one line, null when none. */
  trouble: z.string().nullable(),
});
export type TransferProgress = z.infer<typeof transferProgress>;

export const phases = [
  'survey',
  'plan',
  'open',
  'gate',
  'stop',
  'fence',
  'move',
  'ready',
  'cede',
  'start',
  'probe',
  'receipt',
  'done',
] as const;
/** Where a migration stands; `waits` and `undo` may come in at any of the others. */
export const phase = z.enum([...phases, 'waits', 'undo', 'aborted', 'failed']);
export type Phase = z.infer<typeof phase>;
