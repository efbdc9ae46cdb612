import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseXlConfig } from '../../../xen/xl-config/parse.ts';
import type { XlConfig, XlEntry, XlValue } from '../../../xen/xl-config/types.ts';
import { configKeys, configList, configValue, removeConfig, setConfig } from '../../../xen/xl-config/values.ts';
import { writeXlConfig } from '../../../xen/xl-config/write.ts';

const key = fc.stringMatching(/^[a-z][_0-9a-z]{0,12}$/);
const atom = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: fc.constantFrom('"', "'", '\\', '\n', '\t', '#', ',', '0', 'x', '\x07', '\x01') }),
  fc.integer({ min: 0 }).map(String),
);
const cleanAtom = atom.map((text) => text.replaceAll('\0', ''));
const value: fc.Arbitrary<XlValue> = fc.letrec<{ value: XlValue }>((tie) => ({
  value: fc.oneof({ depthSize: 'small' }, cleanAtom, fc.array(tie('value'), { maxLength: 4 })),
})).value;
const setting = fc.record({
  kind: fc.constant('setting' as const),
  key,
  operator: fc.constant('=' as const),
  value,
  line: fc.constant(0),
});
const comment = fc.record({
  kind: fc.constant('comment' as const),
  text: fc.stringMatching(/^[ -~]*$/),
  trailing: fc.boolean(),
  line: fc.constant(0),
});
const config = fc.array(fc.oneof(setting, comment)).map((entries): XlConfig => ({ name: 'config', entries }));

/** A comment behind nothing or behind a comment reads back as part of what it stands behind, or as a line of its own. */
function settings({ entries }: XlConfig): Omit<XlEntry & { kind: 'setting' }, 'line'>[] {
  return entries.flatMap((entry) => (entry.kind === 'setting' ? [{ ...entry, line: 0 }] : []));
}

describe('writeXlConfig', () => {
  test('writes what reads back the same, unknown settings included', () => {
    fc.assert(
      fc.property(config, (one) => {
        const again = parseXlConfig(writeXlConfig(one));
        expect(settings(again)).toEqual(settings(one));
        expect(writeXlConfig(parseXlConfig(writeXlConfig(again)))).toBe(writeXlConfig(again));
      }),
    );
  });

  test('keeps order, comments and numbers as they were written', () => {
    const text = '# head\nname = "a b" # trailing\nmemory = 010\nodd_key = ["x", [1, 2]]\nlast += "y"\n';
    expect(writeXlConfig(parseXlConfig(text))).toBe(text);
  });

  test('writes a long list one item a line', () => {
    const disks = ['phy:/dev/vg0/a-rather-long-name,xvda,w', 'phy:/dev/vg0/another-long-name,xvdb,w'];
    const text = writeXlConfig(setConfig(parseXlConfig(''), 'disk', disks));
    expect(text.split('\n')).toHaveLength(5);
    expect(configList(parseXlConfig(text), 'disk')).toEqual(disks);
  });

  test('refuses what the format cannot hold', () => {
    expect(() => writeXlConfig(setConfig(parseXlConfig(''), 'a', 'b\0c'))).toThrow('a value holds a NUL');
    expect(() => setConfig(parseXlConfig(''), 'a b', 'c')).toThrow('not the name of a setting');
  });
});

describe('setConfig and removeConfig', () => {
  test('put one setting where the first was and leave the rest', () => {
    const before = parseXlConfig('a = 1\nb = 2\na += "3"\nc = 4');
    expect(writeXlConfig(setConfig(before, 'a', 'new'))).toBe('a = "new"\nb = 2\nc = 4\n');
    expect(configKeys(removeConfig(before, 'a'))).toEqual(['b', 'c']);
    expect(configValue(before, 'a')).toBe('13');
  });
});
