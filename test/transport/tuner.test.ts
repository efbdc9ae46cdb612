import { describe, expect, test } from '@jest/globals';
import { CompressChoice } from '../../transport/compress-choice.ts';
import { Tuner } from '../../transport/tuner.ts';
import type { Setting, TunerSample } from '../../transport/tuner.ts';

const sample: TunerSample = {
  ms: 1_000,
  plainBytes: 10_000_000,
  blockedShare: 0.9,
  landingBusy: false,
  limited: false,
  ratio: null,
};

/** Steps the tuner against a line whose rate follows from the setting. */
function settle(tuner: Tuner, line: (setting: Setting) => Partial<TunerSample>, steps: number): Setting {
  for (let step = 0; step < steps; step += 1) tuner.step({ ...sample, ...line(tuner.setting) });
  return tuner.setting;
}

describe('the tuner', () => {
  test('adds streams while each brings more, and stops where they do not', () => {
    const tuner = new Tuner({ streams: 2, compress: false }, { mostStreams: 16, compress: false });
    const setting = settle(tuner, ({ streams }) => ({ plainBytes: Math.min(streams, 7) * 5_000_000 }), 20);
    expect(setting.streams).toBeGreaterThanOrEqual(7);
    expect(setting.streams).toBeLessThan(16);
  });

  test('leaves all as it is where the processor, the disk or the landing is the limit', () => {
    for (const line of [{ blockedShare: 0.1 }, { landingBusy: true }]) {
      const tuner = new Tuner({ streams: 4, compress: false }, { mostStreams: 16, compress: true });
      expect(settle(tuner, () => line, 10)).toEqual({ streams: 4, compress: false });
    }
  });

  test('compresses on a slow line what shrinks, and nothing else', () => {
    const shrinking = new Tuner({ streams: 4, compress: false }, { mostStreams: 4, compress: true });
    const line = ({ compress }: Setting) => (compress ? { plainBytes: 25_000_000, ratio: 0.4 } : {});
    expect(settle(shrinking, line, 6).compress).toBe(true);
    const random = new Tuner({ streams: 4, compress: false }, { mostStreams: 4, compress: true });
    expect(settle(random, ({ compress }) => (compress ? { ratio: 1 } : {}), 6).compress).toBe(false);
  });

  test('compresses under a rate limit without asking for more streams', () => {
    const tuner = new Tuner({ streams: 4, compress: false }, { mostStreams: 16, compress: true });
    const line = ({ compress }: Setting) => ({
      blockedShare: 0,
      limited: true,
      ...(compress ? { plainBytes: 20_000_000, ratio: 0.5 } : {}),
    });
    expect(settle(tuner, line, 8)).toEqual({ streams: 4, compress: true });
  });
});

test('chunks that do not shrink are passed over for a while', () => {
  const choice = new CompressChoice();
  for (let chunk = 0; chunk < 4; chunk += 1) {
    expect(choice.wants()).toBe(true);
    choice.note(100, 99);
  }
  const asked = Array.from({ length: 17 }, () => choice.wants());
  expect(asked.filter(Boolean)).toHaveLength(1);
  choice.note(100, 50);
  expect(choice.wants()).toBe(true);
});
