import { z } from 'zod';
import { SealiftError } from '../domain/error.ts';
import { vdev } from '../domain/names.ts';
import type { MemoryBegin, Plan } from './control.ts';

const beatMs = z.int().min(20).max(60_000);
const planBody: z.ZodType<Plan> = z.strictObject({
  disks: z.array(z.strictObject({ vdev, sizeBytes: z.int().min(1) })),
  held: z.boolean(),
  beatMs,
});
const memoryBeginBody: z.ZodType<MemoryBegin> = z.strictObject({ config: z.string(), beatMs });

/** Reads the payload of a plan; apart from the other frames, because the threads do without zod. Throws 'bad-frame'. */
export function decodePlan(payload: Buffer): Plan {
  return decoded(planBody, payload);
}

/** The same of what comes before a guest's memory. */
export function decodeMemoryBegin(payload: Buffer): MemoryBegin {
  return decoded(memoryBeginBody, payload);
}

function decoded<T>(body: z.ZodType<T>, payload: Buffer): T {
  try {
    return body.parse(JSON.parse(payload.toString('utf8')));
  } catch {
    throw new SealiftError('bad-frame', 'a control frame has a plan that does not parse');
  }
}
