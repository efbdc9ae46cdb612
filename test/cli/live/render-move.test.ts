import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { renderMove } from '../../../cli/live/render-move.ts';
import { phases } from '../../../domain/progress.ts';
import { statusExample, transferExample } from '../examples.ts';

const done = [
  { phase: 'survey', at: '2026-11-22T14:02:00Z', ms: 300, note: '2 disks, 576 MiB' },
  { phase: 'stop', at: '2026-11-22T14:02:01Z', ms: 4200, note: '' },
];

describe('a picture of a move', () => {
  test('shows the phases behind it, a bar for each disk, the rate and the time left, and what is to come', () => {
    const status = statusExample({ phase: 'move', token: 2, done });
    expect(renderMove(status, transferExample(), 100).join('\n')).toBe(
      [
        'web-1   lon-1 → fra-1   sealed · token 2',
        '',
        '  ✓ survey         0.3 s   2 disks, 576 MiB',
        '  ✓ shut down      4.2 s',
        `  ⠋ move        xvda  ${'━'.repeat(19)}╸${'─'.repeat(12)}  60 %   312 of 512 MiB`,
        `                xvdb  ${'━'.repeat(32)} 100 %   64 of 64 MiB`,
        '                sending · 105 MB/s · 2 s left · 8 streams · 200 MiB on the wire · 0 retries',
        '    ready · cede · start · probe · receipt',
      ].join('\n'),
    );
  });

  test('shows what it waits for and how the wait ends', () => {
    const waits = ['web-1 has not shut down after 120 s', 'sealift abort web-1 leaves it running where it is'];
    const lines = renderMove(statusExample({ phase: 'waits', waits, done: done.slice(0, 1) }), null, 100);
    expect(lines.slice(3, 6)).toEqual([
      '  ◆ waits',
      '                web-1 has not shut down after 120 s',
      '                sealift abort web-1 leaves it running where it is',
    ]);
  });

  test('says how it ended, and with which error', () => {
    const error = { type: 'disk-full', message: 'the pool is full', hint: null };
    expect(renderMove(statusExample({ phase: 'failed', error }), null, 100).at(-1)).toBe(
      '  ✗ failed: the pool is full  [disk-full]',
    );
    expect(renderMove(statusExample({ phase: 'done' }), null, 100).at(-1)).toBe('  ✓ done');
  });

  test('never is wider than the terminal, styles or not, and never lets a guest steer it', () => {
    const text = fc.string({ unit: 'binary' });
    fc.assert(
      fc.property(
        fc.record({
          width: fc.integer({ min: 1, max: 200 }),
          colour: fc.boolean(),
          phase: fc.constantFrom(...phases),
          text,
        }),
        ({ width, colour, phase, text: hostile }) => {
          const status = statusExample({ phase, waits: [hostile], done: [{ phase, at: '', ms: 1, note: hostile }] });
          for (const line of renderMove(status, transferExample({ trouble: hostile }), width, {
            colour,
            trouble: hostile,
          })) {
            expect(stripVTControlCharacters(line).length).toBeLessThanOrEqual(width);
            // eslint-disable-next-line no-control-regex -- what must not be there
            expect(line.replaceAll(/\u001b\[\d+m/g, '')).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
          }
        },
      ),
      { numRuns: 40 },
    );
  });
});
