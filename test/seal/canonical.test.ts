import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { canonicalBytes, canonicalJson, parseCanonical } from '../../seal/canonical.ts';
import { typeThrown } from './support.ts';

describe('canonical json', () => {
  test('sorts keys by utf-16 code units, as the example of RFC 8785 section 3.2.3 does', () => {
    const value = {
      '\u20ac': 'Euro Sign',
      '\r': 'Carriage Return',
      '\ufb33': 'Hebrew Letter Dalet With Dagesh',
      '1': 'One',
      '\ud83d\ude00': 'Emoji: Grinning Face',
      '\u0080': 'Control',
      '\u00f6': 'Latin Small Letter O With Diaeresis',
    };
    expect(Object.values(JSON.parse(canonicalJson(value)) as object)).toHaveLength(7);
    expect(canonicalJson(value)).toBe(
      '{"\\r":"Carriage Return","1":"One","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis",' +
        '"\u20ac":"Euro Sign","\ud83d\ude00":"Emoji: Grinning Face","\ufb33":"Hebrew Letter Dalet With Dagesh"}',
    );
  });

  test('prints every value in one way', () => {
    expect(canonicalJson({ b: [1, 'a"\n', null], a: { d: true, c: 0.5 }, n: -0 })).toBe(
      '{"a":{"c":0.5,"d":true},"b":[1,"a\\"\\n",null],"n":0}',
    );
  });

  test.each([
    ['undefined', { a: undefined }],
    ['a hole', { a: new Array<number>(1) }],
    ['NaN', [Number.NaN]],
    ['an infinity', [Number.POSITIVE_INFINITY]],
    ['an integer beyond 2^53', [2 ** 53]],
    ['a bigint', [1n]],
    ['a function', [() => 1]],
    ['a date', [new Date(0)]],
    ['a buffer', [Buffer.alloc(1)]],
    ['a lone surrogate', ['\ud800']],
    ['a lone surrogate as a key', { '\udc00': 1 }],
  ])('refuses %s', (_, value) => {
    expect(typeThrown(() => canonicalJson(value))).toBe('internal');
  });

  test('refuses a cycle', () => {
    const cycle: unknown[] = [];
    cycle.push(cycle);
    expect(typeThrown(() => canonicalJson(cycle))).toBe('internal');
  });

  test('reading gives the value back, whatever the order of its keys was', () => {
    const json = fc.jsonValue({ maxDepth: 4, stringUnit: 'binary' });
    fc.assert(
      fc.property(json, (value) => {
        let text: string;
        try {
          text = canonicalJson(value);
        } catch {
          return;
        }
        expect(canonicalJson(parseCanonical(Buffer.from(text)))).toBe(text);
        expect(canonicalJson(backwards(value))).toBe(text);
      }),
    );
  });

  test.each([' {}', '{ }', '{"b":1,"a":1}', '{"a":1,"a":1}', '[1.0]', '["\\u0061"]', '{', '', '\ufeff{}'])(
    'reads nothing but canonical text: %j is refused',
    (text) => {
      expect(typeThrown(() => parseCanonical(Buffer.from(text)))).toBe('bad-frame');
    },
  );

  test('refuses bytes that are not utf-8', () => {
    const bytes = Buffer.concat([canonicalBytes('a').subarray(0, 2), Buffer.from([0xff, 0x22])]);
    expect(typeThrown(() => parseCanonical(bytes))).toBe('bad-frame');
  });
});

function backwards(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(backwards);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, item]) => [key, backwards(item)]),
  );
}
