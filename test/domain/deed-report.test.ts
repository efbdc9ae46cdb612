import { expect, test } from '@jest/globals';
import { deedReport, deedWord } from '../../domain/deed-report.ts';

const identity = `ed25519:${'A'.repeat(43)}`;
const report = {
  v: 1,
  host: 'fra-1',
  identity,
  vmUuid: '6f1f7d1c-6d0b-4c3e-9b62-0d3f1c1f2a10',
  vmName: 'web-1',
  record: {
    ...{ lineage: '0'.repeat(32), token: 2, state: 'ceded', runToken: 0, whole: false, fenced: true },
    ...{ peer: identity, wasRunning: true },
  },
  standing: 'it went to lon-1',
  runs: [],
  domain: 'stopped',
  disks: [{ vdev: 'xvda', there: true, fenced: true, mark: null }],
  intents: [],
  events: [],
  statements: [],
  steps: [{ step: 'revert', possible: true, why: null }],
};

test('what a newer host tells besides is left out of its side of a deed, and the rest is taken', () => {
  const newer = {
    ...report,
    mood: 'calm',
    record: { ...report.record, mood: 'calm' },
    disks: report.disks.map((disk) => ({ ...disk, mood: 'calm' })),
    statements: [{ body: { kind: 'blessing', v: 1 }, signature: 'A'.repeat(86) }],
    steps: [{ step: 'bless', possible: false, why: 'not yet' }, ...report.steps],
  };
  expect(deedReport.parse(newer)).toEqual(report);
  const { host, record, statements } = report;
  expect(deedWord.parse(newer)).toEqual({ host, identity, record, statements });
});

test('a side without its record, or of another version, is refused', () => {
  expect(deedReport.safeParse({ ...report, record: undefined }).success).toBe(false);
  expect(deedReport.safeParse({ ...report, v: 2 }).success).toBe(false);
  // A word of a known kind that does not parse must not make an older one the last.
  const statements = [{ body: { kind: 'deed', v: 2 }, signature: 'A'.repeat(86) }];
  expect(deedReport.safeParse({ ...report, statements }).success).toBe(false);
});
