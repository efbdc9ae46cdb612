import { expect, test } from '@jest/globals';
import { faults } from './faults/faults.ts';
import { pairing } from './pairing.ts';
import { strikesOf } from './play.ts';
import { points } from './points.ts';

test.each([1, 2, 77])('the pairing of seed %i covers every point and every fault, by both methods', (seed) => {
  const casts = pairing(seed);
  const strikes = casts.flatMap(strikesOf);
  expect(new Set(strikes.map(({ point }) => point))).toEqual(new Set(points));
  expect(new Set(strikes.map(({ fault }) => fault))).toEqual(new Set(faults));
  const sealed = casts.filter(({ method }) => method === 'sealed').length;
  expect(Math.abs(sealed - casts.length / 2)).toBeLessThan(10);
  expect(casts.length).toBeLessThan(45);
});
