import { SealiftError } from '../../domain/error.ts';
import type { XlConfig, XlEntry, XlValue } from './types.ts';

/**
 * Writes a configuration so that `xl`, and `parseXlConfig`, read the same: same settings, same order, comments kept (those
 * from within a list stand behind it). Throws 'config-syntax' for a value that the format cannot hold (a NUL).
 */
export function writeXlConfig(config: XlConfig): string {
  const lines: string[] = [];
  for (const entry of config.entries) {
    const last = lines.at(-1);
    const behind = entry.kind === 'comment' && entry.trailing && last !== undefined;
    if (behind) lines[lines.length - 1] = `${last} #${entry.text}`;
    else lines.push(writeEntry(entry));
  }
  return lines.map((line) => `${line}\n`).join('');
}

function writeEntry(entry: XlEntry): string {
  if (entry.kind === 'comment') return `#${entry.text}`;
  return `${entry.key} ${entry.operator} ${writeValue(entry.value, '')}`;
}

/** A list on one line when it holds at most one short item, else an item a line. */
function writeValue(value: XlValue, indent: string): string {
  if (typeof value === 'string') return writeAtom(value);
  const deeper = `${indent}    `;
  const items = value.map((item) => writeValue(item, deeper));
  const oneLine = `[${items.join(', ')}]`;
  if (!oneLine.includes('\n') && (items.length < 2 || oneLine.length <= 60)) return oneLine;
  return `[\n${items.map((item) => `${deeper}${item},\n`).join('')}${indent}]`;
}

const letters: Record<string, string> = {
  '"': '\\"',
  '\\': '\\\\',
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
};

function writeAtom(text: string): string {
  if (text.includes('\0')) throw new SealiftError('config-syntax', 'a value holds a NUL, which xl cannot read');
  if (/^[0-9][0-9a-fx]*$/.test(text)) return text;
  return `"${Array.from(text, (letter) => letters[letter] ?? letter).join('')}"`;
}
