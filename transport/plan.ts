import { z } from 'zod';
import { SealiftError } from '../domain/error.ts';
import { vdev } from '../domain/names.ts';
import type { Plan } from './control.ts';

const planBody: z.ZodType<Plan> = z.strictObject({
  disks: z.array(z.strictObject({ vdev, sizeBytes: z.int().min(1) })),
  held: z.boolean(),
  beatMs: z.int().min(20).max(60_000),
});

/** Reads the payload of a plan; apart from the other frames, because the threads do without zod. Throws 'bad-frame'. */
export function decodePlan(payload: Buffer): Plan {
  try {
    return planBody.parse(JSON.parse(payload.toString('utf8')));
  } catch {
    throw new SealiftError('bad-frame', 'a control frame has a plan that does not parse');
  }
}
