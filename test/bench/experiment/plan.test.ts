import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parsePlan, planDigest, pointKey, pointsOf, readPlan } from '../../../bench/experiment/plan.ts';

const folder = new URL('../../../bench/experiment/plans', import.meta.url).pathname;

const text = `
name = "small"
title = "A small one"
ways = ["sealed", "scp"]
repeats = 2
congestion = "cubic"
limit_seconds = 60

[[line]]
rate_mbps = 100
round_trip_ms = [0, 40]
payload_mib = 16
`;

describe('a plan', () => {
  test.each(readdirSync(folder))('%s parses, and its name is that of its file', async (file) => {
    expect((await readPlan(join(folder, file))).name).toBe(file.replace('.toml', ''));
  });

  test.each([
    ['an unknown key', text.replace('repeats', 'repeat = 3\nrepeats'), 'small.toml: Unrecognized key: "repeat"'],
    ['an unknown key of a line', `${text}loss = 1\n`, 'small.toml: line.0: Unrecognized key: "loss"'],
    ['an unknown way', text.replace('"scp"', '"pigeon"'), /^small\.toml: ways\.1: Invalid option/],
    ['a missing key', text.replace('title = ', 'heading = '), /^small\.toml: title: /],
    ['a name that is a path', text.replace('"small"', '"../small"'), 'small.toml: name: not a name (a-z, 0-9 and "-")'],
    ['what is no TOML', `${text}[[line`, /^small\.toml:13:\d+: not TOML$/],
  ])('with %s is refused', (_what, changed, message) => {
    expect(() => parsePlan(changed, 'small.toml')).toThrow(
      expect.objectContaining({
        type: 'bad-config',
        message: typeof message === 'string' ? message : expect.stringMatching(message),
      }),
    );
  });

  test('that is not there is wrong use', async () => {
    await expect(readPlan('/nowhere/small.toml')).rejects.toMatchObject({
      type: 'bad-usage',
      message: 'no plan can be read from /nowhere/small.toml (ENOENT)',
    });
  });

  test('says the same whatever its spacing, and something else when a number differs', () => {
    const digest = planDigest(parsePlan(text, 'small.toml'));
    expect(planDigest(parsePlan(`# why\n${text}`, 'small.toml'))).toBe(digest);
    expect(planDigest(parsePlan(text.replace('repeats = 2', 'repeats = 3'), 'small.toml'))).not.toBe(digest);
  });

  test('interleaves: each repeat goes over every line, and begins there with another way', () => {
    const points = pointsOf(parsePlan(text, 'small.toml'));
    expect(points.map(({ repeat, roundTripMs, way }) => `${String(repeat)} ${String(roundTripMs)} ${way}`)).toEqual([
      '1 0 sealed',
      '1 0 scp',
      '1 40 sealed',
      '1 40 scp',
      '2 0 scp',
      '2 0 sealed',
      '2 40 scp',
      '2 40 sealed',
    ]);
    expect(new Set(points.map(pointKey)).size).toBe(8);
  });
});
