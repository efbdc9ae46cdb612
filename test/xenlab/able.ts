import { describe } from '@jest/globals';
import { missingNeeds } from '../../infra/lab/xen/needs.ts';

/** Told by whoever tried to bring it up before. */
const away = process.env.SEALIFT_XEN_LAB_AWAY;
const missing = away === undefined ? await missingNeeds() : [away];

/** `describe` where the laboratory can be brought up; elsewhere the tests are skipped, and say what is missing. */
export function able(name: string, tests: () => void): void {
  if (missing.length === 0) describe(name, tests);
  else describe.skip(`${name} (skipped: needs ${missing.join('; ')})`, tests);
}
