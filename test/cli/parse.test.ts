import { describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { count, duration, endpoint, moment, parseOptions, rate } from '../../cli/parse.ts';

describe('what people type', () => {
  test.each([
    ['50M', 50_000_000],
    ['50MB/s', 50_000_000],
    ['48Mi', 48 * 1024 * 1024],
    ['48MiB/s', 48 * 1024 * 1024],
    ['400Mbit', 50_000_000],
    ['400 Mbit/s', 50_000_000],
    ['1.5g', 1_500_000_000],
    ['1000', 1000],
  ])('rate %s', (text, bytesPerSecond) => {
    expect(rate.parse(text.replace(' ', ''))).toBe(bytesPerSecond);
  });
  test.each(['', '0', '-5M', '5q', 'M', '1e400', '4bit', 'none', '99999999999999T'])('no rate: %j', (text) => {
    expect(rate.safeParse(text).success).toBe(false);
  });

  test.each([
    ['90s', 90_000],
    ['10m', 600_000],
    ['10min', 600_000],
    ['1h30m', 5_400_000],
    ['2d', 172_800_000],
    ['0.5s', 500],
    ['0s', 0],
  ])('time %s', (text, ms) => {
    expect(duration.parse(text)).toBe(ms);
  });
  test.each(['', ' ', '10', 'm', '-5s', '1m1h', '99999999999999999999d'])('no time: %j', (text) => {
    expect(duration.safeParse(text).success).toBe(false);
  });

  test.each([
    ['192.0.2.7:22', { address: '192.0.2.7', port: 22 }],
    ['db.example.org:5432', { address: 'db.example.org', port: 5432 }],
    ['[2001:db8::7]:1', { address: '2001:db8::7', port: 1 }],
  ])('address %s', (text, expected) => {
    expect(endpoint.parse(text)).toEqual(expected);
  });
  test.each(['host', 'host:0', 'host:65536', '-x:22', '2001:db8::7:22', 'a b:1', ':22'])('no address: %j', (text) => {
    expect(endpoint.safeParse(text).success).toBe(false);
  });

  test('a moment is given in UTC', () => {
    expect(moment.parse('2026-11-30T01:00Z')).toBe('2026-11-30T01:00:00.000Z');
    expect(moment.parse('2026-11-30T01:00+01:00')).toBe('2026-11-30T00:00:00.000Z');
    expect(moment.safeParse('tomorrow').success).toBe(false);
    expect(moment.safeParse('7').success).toBe(false);
    // JavaScript reads a day alone as UTC, and a day with a time in this machine's zone.
    expect(moment.safeParse('2026-11-30').success).toBe(false);
    expect(moment.parse('2026-11-30 01:00')).toBe(new Date(2026, 10, 30, 1).toISOString());
  });
});

test.each([
  [{ streams: '65' }, "--streams: '65' is more than 64"],
  [{ streams: '0' }, "--streams: '0' is less than 1"],
  [{ streams: 'x' }, '--streams: not a whole number'],
  [{ streams: '2', onStuckGuest: 'kill' }, "--on-stuck-guest: 'kill' is none of wait, abort"],
  [{ streams: '2', by: '' }, '--by: must not be empty'],
])('options %j are refused in words that a person can do with', (raw, message) => {
  const options = z.object({
    streams: count.pipe(z.int().min(1).max(64)),
    onStuckGuest: z.enum(['wait', 'abort']).optional(),
    by: z.string().min(1).optional(),
  });
  expect(() => parseOptions(options, raw)).toThrow(expect.objectContaining({ type: 'bad-usage', message }));
});
