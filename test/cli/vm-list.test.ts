import { expect, test } from '@jest/globals';
import type { VmOnHost } from '../../client/index.ts';
import { vmRow } from '../../cli/print/vm.ts';

type Deed = NonNullable<VmOnHost['deed']>;

const deed: Deed = { lineage: 'a'.repeat(32), token: 3, state: 'holder', runToken: 0, peer: 'fra-1', ceded: null };
const vm = (change: Partial<VmOnHost>): VmOnHost => ({
  host: 'lon-1',
  vmUuid: 'f4b6a8de-5a2c-4f0e-9d60-6f9f3c1f2a11',
  vmName: 'web-1',
  state: 'stopped',
  memoryBytes: 0,
  diskBytes: 2 ** 20,
  autostart: false,
  fenced: true,
  deed,
  problem: null,
  ...change,
});

test('a row of vm list: memory of what runs, and what is to be known beside the record', () => {
  const ceded = { token: 2, peer: 'fra-1', released: false };
  const note = (change: Partial<Deed>): string | undefined => vmRow(vm({ deed: { ...deed, ...change } })).at(-1);
  expect(vmRow(vm({ state: 'running', memoryBytes: 2 ** 28, fenced: false }))).toEqual([
    ...['web-1', 'lon-1', 'running', 'holder 3', '1 MiB', '256 MiB', ''],
  ]);
  expect(vmRow(vm({})).at(-2)).toBe('');
  expect(vmRow(vm({ deed: null })).at(-1)).toBe('not adopted');
  expect(note({ state: 'ceded', token: 2, ceded })).toBe('');
  expect(note({ state: 'receiving', ceded })).toBe('keeps an older copy: sealift finish');
  expect(note({ state: 'receiving', ceded: { ...ceded, released: true } })).toBe('');
});
