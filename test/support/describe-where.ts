import { describe } from '@jest/globals';

/** `describe` where nothing is missing; elsewhere the tests are skipped, and say what is. */
export function describeWhere(missing: readonly string[], name: string, tests: () => void): void {
  if (missing.length === 0) describe(name, tests);
  else describe.skip(`${name} (skipped: needs ${missing.join('; ')})`, tests);
}
