import { describe, expect, test } from '@jest/globals';
import { clean, formatBytes, formatMs, formatPart, formatRate, formatTable } from '../../cli/format.ts';

describe('numbers as people read them', () => {
  test.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1 KiB'],
    [1536, '1.5 KiB'],
    [576 * 1024 ** 2, '576 MiB'],
    [1024 ** 3 - 1, '1023 MiB'],
    [1024 ** 3, '1 GiB'],
    [64 * 1024 ** 3, '64 GiB'],
    [5000 * 1024 ** 4, '5000 TiB'],
  ])('%d bytes', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  test('a part is given in the unit of the whole', () => {
    expect(formatPart(0, 576 * 1024 ** 2)).toBe('0 of 576 MiB');
    expect(formatPart(512 * 1024 ** 2, 2 * 1024 ** 3)).toBe('0.5 of 2 GiB');
    expect(formatPart(0, 0)).toBe('0 of 0 B');
  });

  test.each([
    [0, '0 B/s'],
    [999, '999 B/s'],
    [112_300_000, '112 MB/s'],
    [1_250_000_000, '1.3 GB/s'],
  ])('%d bytes a second', (rate, text) => expect(formatRate(rate)).toBe(text));

  test.each([
    [0, '0.0 s'],
    [59_949, '59.9 s'],
    [59_950, '1 min'],
    [200_000, '3 min 20 s'],
    [3_600_000, '1 h'],
    [7_500_000, '2 h 5 min'],
    [100 * 3_600_000, '4 d 4 h'],
  ])('%d milliseconds', (ms, text) => expect(formatMs(ms)).toBe(text));

  test('a table is as wide as its cells, and what a guest chose cannot steer a terminal', () => {
    expect(
      formatTable(
        ['VM', 'HOST'],
        [
          ['web-1', 'lon-1'],
          ['\u001b[2Jx', ''],
        ],
      ),
    ).toEqual(['VM     HOST', 'web-1  lon-1', ' [2Jx']);
    expect(clean('a\nb\u009bc')).toBe('a b c');
  });
});
