import { SealiftError } from '../domain/error.ts';

const maximumDepth = 32;

/**
 * The one text of a JSON value, for signing and hashing: RFC 8785 (JSON Canonicalization Scheme) without the numbers on
 * which parsers disagree. Keys sorted by UTF-16 code units, no spaces, numbers as ECMAScript prints them.
 *
 * Refuses ('internal') what JSON would drop or change without a word: undefined, NaN, infinities, integers beyond 2^53,
 * lone surrogates, and objects that are no plain ones.
 */
export function canonicalJson(value: unknown): string {
  return textOf(value, 0);
}

/** The UTF-8 bytes of `canonicalJson(value)`: what a signature signs and a digest covers. */
export function canonicalBytes(value: unknown): Buffer {
  return Buffer.from(canonicalJson(value), 'utf8');
}

/** Reads canonical JSON and nothing else: `canonicalBytes` of the value is `bytes` again, or it throws 'bad-frame'. */
export function parseCanonical(bytes: Buffer): unknown {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    if (canonicalBytes(value).equals(bytes)) return value;
  } catch {
    // Told below, without the text: it may hold a configuration.
  }
  throw new SealiftError('bad-frame', `${String(bytes.length)} bytes are not canonical json`);
}

function textOf(value: unknown, depth: number): string {
  if (depth > maximumDepth) throw refusal('more than 32 levels');
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return stringText(value);
  if (typeof value === 'number') return numberText(value);
  if (Array.isArray(value)) return `[${Array.from(value, (item: unknown) => textOf(item, depth + 1)).join(',')}]`;
  if (typeof value === 'object' && isPlain(value)) {
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([key, item]) => `${stringText(key)}:${textOf(item, depth + 1)}`).join(',')}}`;
  }
  throw refusal(typeof value === 'object' ? 'an object that is not plain' : `a value of type ${typeof value}`);
}

function stringText(value: string): string {
  if (!value.isWellFormed()) throw refusal('a string with a lone surrogate');
  return JSON.stringify(value);
}

function numberText(value: number): string {
  if (!Number.isFinite(value)) throw refusal('a number that is not finite');
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) throw refusal('an integer beyond 2^53');
  return JSON.stringify(value);
}

/** Whether it is an object literal of any realm: its prototype is absent or is itself at the root. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function refusal(what: string): SealiftError {
  return new SealiftError('internal', `canonical json cannot hold ${what}`);
}
