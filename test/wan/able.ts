import { describe } from '@jest/globals';
import { missingNeeds } from '../../infra/lab/wan/needs.ts';

const missing = missingNeeds();

/** `describe` where the laboratory can be brought up; elsewhere the tests are skipped, and say what is missing. */
export function able(name: string, tests: () => void): void {
  if (missing.length === 0) describe(name, tests);
  else describe.skip(`${name} (skipped: needs ${missing.join('; ')})`, tests);
}
