import { readFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import { settings } from '../../../infra/model/cases.ts';
import { sabotages } from '../../../infra/model/sabotages.ts';
import { configuration, verdictOf } from '../../../infra/model/tlc.ts';

const end = `
The depth of the complete state graph search is 42.
Finished in 05s at (2026-11-23 02:08:40)
`;

test('a check that saw every state and broke nothing', () => {
  const output = `Model checking completed. No error has been found.
  Estimates of the probability that TLC did not check all reachable states
112821 states generated, 21605 distinct states found, 0 states left on queue.${end}`;
  expect(verdictOf(output)).toEqual({ broken: null, distinctStates: 21_605, depth: 42 });
});

test('the invariant that broke, and not the progress made before', () => {
  const output = `Progress(9) at 2026-11-23 02:05:30: 2,438 states generated (2,438 s/min), 729 distinct states found (729 ds/min), 318 states left on queue.
Error: Invariant OneHolder is violated.
Error: The behavior up to this point is:
State 1: <Initial predicate>
1294 states generated, 356 distinct states found, 181 states left on queue.${end}`;
  expect(verdictOf(output)).toEqual({ broken: 'OneHolder', distinctStates: 356, depth: 42 });
});

test.each([
  ['a module that does not parse', 'Error: Parsing or semantic analysis failed.\nFinished in 01s'],
  [
    'a check that was cut short',
    'Progress(19) at 2026-11-23 02:05:30: 906,448 states generated (906,448 s/min), 183,072 distinct states found (',
  ],
  ['nothing at all', ''],
])('%s is no verdict', (_, output) => {
  expect(() => verdictOf(output)).toThrow(/TLC did not check the model/);
});

test('hosts but the first are alike from three on', () => {
  const bounds = { hosts: 3, maxToken: 4, maxWrite: 1 } as const;
  const text = configuration({ features: ['shared', 'live'], out: ['a "b"'], bounds, invariants: ['OneRuns'] });
  expect(text).toContain('Host = {A, B, C}');
  expect(text).toContain('Features = {"shared", "live"}');
  expect(text).toContain('Out = {"a \\"b\\""}');
  expect(text).toContain('SYMMETRY Others');
  expect(configuration({ features: [], out: [], bounds: { ...bounds, hosts: 2 }, invariants: [] })).not.toContain(
    'SYMM',
  );
});

test('each guard of the model is taken out by a check, and no check takes out what the model does not have', async () => {
  const module = await readFile(new URL('../../../docs/deed.tla', import.meta.url), 'utf8');
  const found = module.matchAll(/Needs\("([^"]+)"|"([^"]+)" \\(?:not)?in Out/g);
  const guards = new Set([...found].map(([, needed, left]) => needed ?? left));
  expect(new Set(sabotages.flatMap((one) => one.guards))).toEqual(guards);
  const features = new Set([...module.matchAll(/Has\("([^"]+)"\)/g)].map(([, feature]) => feature));
  expect(new Set(settings.flatMap((one) => one.features))).toEqual(features);
});
