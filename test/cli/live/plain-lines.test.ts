import { describe, expect, test } from '@jest/globals';
import { PlainLines } from '../../../cli/live/plain-lines.ts';
import { lookExample, transferExample } from '../examples.ts';

const start = new Date(2026, 10, 22, 14, 2, 0).getTime();
const survey = { phase: 'survey', at: new Date(start).toISOString(), ms: 300, note: '2 disks' };

describe('a move as lines', () => {
  test('one when a phase begins or ends, none when nothing is new', () => {
    const lines = new PlainLines();
    expect(lines.next(lookExample({ phase: 'survey' }), start)).toEqual(['14:02:00  web-1  survey']);
    expect(lines.next(lookExample({ phase: 'survey' }), start + 500)).toEqual([]);
    expect(lines.next(lookExample({ phase: 'stop', done: [survey] }), start + 1000)).toEqual([
      '14:02:00  web-1  survey done in 0.3 s: 2 disks',
      '14:02:01  web-1  shut down',
    ]);
  });

  test('with the times at which it happened, for who joins late', () => {
    const stop = { phase: 'stop', at: new Date(start + 2_000).toISOString(), ms: 61_000, note: '' };
    const look = lookExample({ phase: 'fence', done: [survey, stop] });
    expect(new PlainLines().next(look, start + 3_600_000)).toEqual([
      '14:02:00  web-1  survey',
      '14:02:00  web-1  survey done in 0.3 s: 2 disks',
      '14:02:02  web-1  shut down',
      '14:03:03  web-1  shut down done in 1 min 1 s',
      '15:02:00  web-1  fence',
    ]);
  });

  test('two for a phase that nobody saw, and no second begin after a wait', () => {
    const lines = new PlainLines();
    const plan = { phase: 'plan', at: '2026-11-22T14:02:00Z', ms: 0, note: 'no concerns' };
    const stop = { phase: 'stop', at: '2026-11-22T14:02:01Z', ms: 900, note: '' };
    const looks = [
      { phase: 'survey' as const },
      { phase: 'stop' as const, done: [survey, plan] },
      { phase: 'waits' as const, waits: ['lon-1 is away'], done: [survey, plan] },
      { phase: 'stop' as const, done: [survey, plan] },
      { phase: 'done' as const, done: [survey, plan, stop] },
    ];
    expect(looks.flatMap((look) => lines.next(lookExample(look), start)).map((line) => line.slice(17))).toEqual([
      'survey',
      'survey done in 0.3 s: 2 disks',
      'plan',
      'plan done in 0.0 s: no concerns',
      'shut down',
      'waits',
      'waits: lon-1 is away',
      'shut down done in 0.9 s',
    ]);
  });

  test('one every ten seconds while bytes move', () => {
    const lines = new PlainLines();
    const look = lookExample({ phase: 'move' }, { transfer: transferExample() });
    const said = Array.from({ length: 31 }, (_, second) => lines.next(look, start + second * 1000)).flat();
    expect(said).toHaveLength(4);
    expect(said[1]).toBe(
      '14:02:10  web-1  65 % · 376 of 576 MiB · sending · 105 MB/s · 2 s left · 8 streams · 200 MiB on the wire · 0 retries',
    );
  });

  test('a wait and a trouble are said once', () => {
    const lines = new PlainLines();
    const look = lookExample(
      { phase: 'waits', waits: ['fra-1 is away', 'it goes on by itself'] },
      { trouble: 'no answer' },
    );
    expect(lines.next(look, start)).toEqual([
      '14:02:00  web-1  waits',
      '14:02:00  web-1  waits: fra-1 is away',
      '14:02:00  web-1  waits: it goes on by itself',
      '14:02:00  web-1  trouble: no answer',
    ]);
    expect(lines.next(look, start + 1000)).toEqual([]);
  });
});
