import { afterAll } from '@jest/globals';

const acts: (() => Promise<void>)[] = [];

/** Runs after all tests of the file, last one first, however they ended. */
export function atEnd(act: () => Promise<void>): void {
  acts.push(act);
}

afterAll(async () => {
  for (const act of acts.splice(0).reverse()) await act();
}, 120_000);
