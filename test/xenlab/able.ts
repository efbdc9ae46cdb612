import { missingNeeds } from '../../infra/lab/xen/needs.ts';
import { describeWhere } from '../support/describe-where.ts';

/** Told by whoever tried to bring it up before. */
const away = process.env.SEALIFT_XEN_LAB_AWAY;
const missing = away === undefined ? await missingNeeds() : [away];

/** Tests that need the laboratory. */
export function able(name: string, tests: () => void): void {
  describeWhere(missing, name, tests);
}
