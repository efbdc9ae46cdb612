import { z } from 'zod';
import { sharedShape } from './manifest.ts';
import { digest, hostName, identity, lineage, method, migrationId, token, vdev, vmName, vmUuid } from './names.ts';

/** The record of a move; both hosts sign the canonical JSON of `body`, and both keep it. Times are ISO 8601 by the workflow's clock. */
export const receiptBody = z.strictObject({
  v: z.literal(1),
  migrationId,
  lineage,
  token,
  vmUuid,
  vmName,
  method,
  source: z.strictObject({ name: hostName, identity }),
  destination: z.strictObject({ name: hostName, identity }),
  root: digest,
  disks: z.array(z.strictObject({ vdev, sizeBytes: z.int(), digest, direct: z.boolean() })),
  /** Disks that both hosts reach: no byte of them crossed. */
  shared: z.array(sharedShape).optional(),
  plainBytes: z.int(),
  wireBytes: z.int(),
  retries: z.int(),
  /** Each phase with its start and its length. */
  phases: z.array(z.strictObject({ phase: z.string(), at: z.iso.datetime(), ms: z.number() })),
  /** From the order to shut down to the start at the destination, null when the VM was not running. */
  downMs: z.number().nullable(),
  /** What the destination changed in the configuration, redacted. */
  changes: z.array(z.string()),
  concerns: z.array(z.string()),
  approvedBy: z.string().nullable(),
  probe: z.array(z.strictObject({ check: z.string(), passed: z.boolean(), detail: z.string() })),
  /** What became of the guest's memory; only of a move that was to keep it. `lost`: it was started anew from its disks. */
  memory: z.enum(['kept', 'lost']).optional(),
});
export type ReceiptBody = z.infer<typeof receiptBody>;

export const receipt = z.strictObject({
  body: receiptBody,
  signatures: z.strictObject({ source: z.string().nullable(), destination: z.string().nullable() }),
});
export type Receipt = z.infer<typeof receipt>;
