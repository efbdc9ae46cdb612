import { SealiftError } from '../../domain/error.ts';
import type { XlConfig, XlEntry, XlValue } from './types.ts';

/** The value in force of a setting, or null when it is not set: the last `=` wins, a `+=` adds to what was before. */
export function configValue(config: XlConfig, key: string): XlValue | null {
  let value: XlValue | null = null;
  for (const entry of config.entries) {
    if (entry.kind === 'setting' && entry.key === key) value = joined(value, entry);
  }
  return value;
}

/** A setting that is one atom, or null when it is not set. Throws 'config-syntax' when it is a list. */
export function configString(config: XlConfig, key: string): string | null {
  const value = configValue(config, key);
  if (value !== null && typeof value !== 'string') throw wrong(config, key, 'is a list, not a single value');
  return value;
}

/**
 * A setting as a whole number, read as C's strtol does: `0x…` is hexadecimal, a leading `0` octal (`010` is 8). Null when it
 * is not set; throws 'config-syntax' when it is no number, too large, or made by `+=`.
 */
export function configNumber(config: XlConfig, key: string): number | null {
  const text = configString(config, key);
  if (text === null) return null;
  const last = config.entries.findLast((entry) => entry.kind === 'setting' && entry.key === key);
  if (last?.kind === 'setting' && last.operator === '+=') throw wrong(config, key, 'is a number made by "+="');
  const number = parseNumber(text);
  if (number === null) throw wrong(config, key, 'is not a number');
  return number;
}

/** A setting as a truth value: any number but 0 is true. Null when it is not set. */
export function configFlag(config: XlConfig, key: string): boolean | null {
  const number = configNumber(config, key);
  return number === null ? null : number !== 0;
}

/** A setting that is a list of atoms; empty when it is not set. Throws 'config-syntax' otherwise. */
export function configList(config: XlConfig, key: string): string[] {
  const value = configValue(config, key);
  if (value === null) return [];
  if (typeof value === 'string') throw wrong(config, key, 'is a single value, not a list');
  return value.map((item) => {
    if (typeof item !== 'string') throw wrong(config, key, 'holds a list within the list');
    return item;
  });
}

/** Every key that is set, in order, each once. */
export function configKeys(config: XlConfig): string[] {
  return [...new Set(config.entries.flatMap((entry) => (entry.kind === 'setting' ? [entry.key] : [])))];
}

/** A copy of the configuration with one setting in place of all of that key: where the first was, or at the end. */
export function setConfig(config: XlConfig, key: string, value: XlValue): XlConfig {
  if (!/^[a-z][._0-9a-z]*$/.test(key))
    throw new SealiftError('bad-usage', `not the name of a setting: ${JSON.stringify(key)}`);
  const setting: XlEntry = { kind: 'setting', key, operator: '=', value, line: 0 };
  const first = config.entries.findIndex((entry) => entry.kind === 'setting' && entry.key === key);
  if (first === -1) return { ...config, entries: [...config.entries, setting] };
  const entries = config.entries.flatMap((entry, index) => {
    if (index === first) return [setting];
    return entry.kind === 'setting' && entry.key === key ? [] : [entry];
  });
  return { ...config, entries };
}

/** A copy of the configuration without a setting. */
export function removeConfig(config: XlConfig, key: string): XlConfig {
  return { ...config, entries: config.entries.filter((entry) => entry.kind !== 'setting' || entry.key !== key) };
}

/** A whole number as strtol with base 0 reads it, when all of the text is one and JavaScript can hold it; else null. */
function parseNumber(text: string): number | null {
  const parts = /^\s*([+-]?)(?:0x([0-9a-f]+)|(0[0-7]*)|([1-9][0-9]*))$/i.exec(text);
  if (parts === null) return null;
  const [, sign, hexadecimal, octal, decimal] = parts;
  const digits = hexadecimal ?? octal ?? decimal ?? '';
  const size = Number.parseInt(digits, hexadecimal !== undefined ? 16 : octal !== undefined ? 8 : 10);
  if (!Number.isSafeInteger(size)) return null;
  return sign === '-' && size !== 0 ? -size : size;
}

/** The value that a setting would have after `entry`; throws when a `+=` joins a list and a single value. */
export function added(config: XlConfig, entry: XlEntry & { kind: 'setting' }): XlValue {
  return joined(configValue(config, entry.key), entry);
}

function joined(before: XlValue | null, entry: XlEntry & { kind: 'setting' }): XlValue {
  const { value } = entry;
  if (entry.operator === '=' || before === null) return value;
  if (typeof before === 'string' && typeof value === 'string') return before + value;
  if (typeof before !== 'string' && typeof value !== 'string') return [...before, ...value];
  throw new SealiftError('config-syntax', `the setting ${entry.key} adds a list to a single value, or the other way`);
}

/** Where a setting stands, as `name:line:1`, for messages. */
export function settingPlace(config: XlConfig, key: string): string {
  const entry = config.entries.findLast((one) => one.kind === 'setting' && one.key === key);
  return `${config.name}:${String(entry?.line ?? 0)}:1`;
}

function wrong(config: XlConfig, key: string, what: string): SealiftError {
  return new SealiftError('config-syntax', `${settingPlace(config, key)}: the setting ${key} ${what}`);
}
