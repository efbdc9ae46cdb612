import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isSealiftError } from '../../../domain/error.ts';
import { parseXlConfig } from '../../../xen/xl-config/parse.ts';
import {
  configFlag,
  configKeys,
  configList,
  configNumber,
  configString,
  configValue,
} from '../../../xen/xl-config/values.ts';

const example = `# made by hand
name = "web-1"; type = 'pvh'
memory = 010   # octal
maxmem = 0x20
extra = "root=/dev/xvda say=\\"hi\\" \\\\ end"
disk = [
  'phy:/dev/vg0/web,xvda,w',  # root
  "target=/srv/data.raw",
]
vif = [ 'mac=00:16:3e:00:00:21', ]
nested = [ [ 1, "two" ], [], 'three' ]
strange_key9 = "kept"`;

describe('parseXlConfig', () => {
  test('reads the whole grammar', () => {
    const config = parseXlConfig(example);
    expect(configString(config, 'name')).toBe('web-1');
    expect(configString(config, 'type')).toBe('pvh');
    expect(configNumber(config, 'memory')).toBe(8);
    expect(configNumber(config, 'maxmem')).toBe(32);
    expect(configString(config, 'extra')).toBe('root=/dev/xvda say="hi" \\ end');
    expect(configList(config, 'disk')).toEqual(['phy:/dev/vg0/web,xvda,w', 'target=/srv/data.raw']);
    expect(configValue(config, 'nested')).toEqual([['1', 'two'], [], 'three']);
    expect(configKeys(config).at(-1)).toBe('strange_key9');
    expect(config.entries.filter((entry) => entry.kind === 'comment').map((entry) => entry.text.trim())).toEqual([
      'made by hand',
      'octal',
      'root',
    ]);
  });

  test('lets the last setting win and adds with +=', () => {
    const config = parseXlConfig('a = "1"\na = "2"\na += "3"\nl = ["x"]\nl += ["y", "z"]\nfresh += "1"');
    expect(configString(config, 'a')).toBe('23');
    expect(configList(config, 'l')).toEqual(['x', 'y', 'z']);
    expect(configString(config, 'fresh')).toBe('1');
    expect(() => configNumber(config, 'a')).toThrow('is a number made by "+="');
  });

  test('reads numbers in quotes as xl does, and truth from numbers', () => {
    const config = parseXlConfig('a = "0x10"\nb = 08\nc = 0\nd = "-5"\ne = "five"');
    expect(configNumber(config, 'a')).toBe(16);
    expect(() => configNumber(config, 'b')).toThrow('config:2:1: the setting b is not a number');
    expect(configFlag(config, 'c')).toBe(false);
    expect(configNumber(config, 'd')).toBe(-5);
    expect(() => configFlag(config, 'e')).toThrow('not a number');
    expect(configNumber(config, 'absent')).toBeNull();
  });

  // The first is the recorded `xl create -n` of a bad file: line 2.
  test.each([
    ['name = "x"\nmemory =\n', 'web.cfg:2:9: expected a string, a number or a "[", found the end of the line'],
    ['name = "x" memory = 1', 'web.cfg:1:12: expected the end of the line, found a bare word'],
    ['name "x"', 'web.cfg:1:6: expected an "=", found a value'],
    ['a = [ 1 2 ]', 'web.cfg:1:9: expected a "," or a "]", found a value'],
    ['a = [ 1, , 2 ]', 'web.cfg:1:10: expected a string, a number or a "[", found a ","'],
    ['a = [ , ]', 'web.cfg:1:7: expected a string, a number or a "[", found a ","'],
    ['a = [ "x"', 'web.cfg:1:10: expected a "," or a "]", found the end of the file'],
    ['a = "x\ny"', 'web.cfg:1:5: a string does not end on its line'],
    ['a = "\\x41"', 'web.cfg:1:5: a string has an escape that xl does not know'],
    ['\n\n  Name = 1', 'web.cfg:3:3: a word in upper case; names of settings are in lower case'],
    ['a = 1\r\n', 'web.cfg:1:6: a carriage return (a DOS line end), which xl does not take'],
    ['a = (1)', 'web.cfg:1:5: this looks like Python, which xl does not take'],
    ['a = 1\na += [2]', 'web.cfg:2:3: a list cannot be added to a single value, nor the other way'],
    ['= 1', 'web.cfg:1:1: expected the name of a setting, found an "="'],
    ['a = "b\0"', 'web.cfg:1:5: a string does not end on its line'],
  ])('names line and column of what is wrong in %j', (text, message) => {
    expect(() => parseXlConfig(text, 'web.cfg')).toThrow(
      expect.objectContaining({ name: 'SealiftError', type: 'config-syntax', message }),
    );
  });

  test('refuses lists that nest without end and files without end', () => {
    expect(() => parseXlConfig(`a = ${'['.repeat(100_000)}`)).toThrow('lists nest too deep');
    expect(() => parseXlConfig('#'.repeat(2 ** 20 + 1))).toThrow('longer than 1048576 characters');
    expect(configString(parseXlConfig(`a = "${'x'.repeat(1_000_000)}"`), 'a')).toHaveLength(1_000_000);
  });

  test('never quotes the file in an error', () => {
    expect(() => parseXlConfig('vncpasswd = "hunter2" hunter2')).toThrow(expect.not.stringContaining('hunter2'));
  });

  test('meets any text with a result or a SealiftError', () => {
    const scraps = fc.array(
      fc.constantFrom(
        'a',
        'disk',
        '=',
        '+=',
        '[',
        ']',
        ',',
        ';',
        '\n',
        '"',
        "'",
        '\\',
        '#',
        '0x1',
        '"s"',
        ' ',
        '\0',
        'é',
        '-',
      ),
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          scraps.map((parts) => parts.join('')),
        ),
        (text) => {
          try {
            parseXlConfig(text);
          } catch (error) {
            if (!isSealiftError(error) || error.type !== 'config-syntax') throw error;
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
