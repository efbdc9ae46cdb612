import { z } from 'zod';
import { SealiftError } from '../domain/error.ts';

const rateForm = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)(bit|b|)(?:\/s|ps)?$/i;
const powers = { '': 0, k: 1, m: 2, g: 3, t: 4 } as const;

/** `50M`, `50 MB/s`, `48MiB/s`, `400Mbit`: bytes a second, or bits where it says "bit". Gives bytes per second. */
export const rate = z.string().transform((text, context): number => {
  const [, digits = '', prefix = '', i = '', kind = ''] = rateForm.exec(text.trim()) ?? [];
  const base = i === '' ? 1000 : 1024;
  const value = Number(digits) * base ** powers[prefix.toLowerCase() as keyof typeof powers];
  const bytes = kind.toLowerCase() === 'bit' ? value / 8 : value;
  if (digits !== '' && bytes >= 1 && Number.isSafeInteger(Math.round(bytes))) return Math.round(bytes);
  context.addIssue(`'${text}' is not a rate: use 50M (megabytes a second), 48Mi or 400Mbit`);
  return z.NEVER;
});

const durationForm = /^(?:(\d+)d)?\s*(?:(\d+)h)?\s*(?:(\d+)(?:m|min))?\s*(?:(\d+(?:\.\d+)?)s)?$/i;

/** `90s`, `10m`, `1h30m`, `2d`. Gives milliseconds. */
export const duration = z.string().transform((text, context): number => {
  const match = durationForm.exec(text.trim());
  const [days, hours, minutes, seconds] = [1, 2, 3, 4].map((group) => Number(match?.[group] ?? 0));
  const ms = Math.round((((days ?? 0) * 24 + (hours ?? 0)) * 60 + (minutes ?? 0)) * 60_000 + (seconds ?? 0) * 1000);
  if (match !== null && text.trim() !== '' && Number.isSafeInteger(ms)) return ms;
  context.addIssue(`'${text}' is not a length of time: use 90s, 10m or 1h30m`);
  return z.NEVER;
});

/** `HOST:PORT`, `[IPV6]:PORT`. */
export const endpoint = z.string().transform((text, context): { address: string; port: number } => {
  const [, v6, plain, digits = ''] = /^(?:\[([0-9a-f:.]+)\]|([^:\s[\]-][^:\s[\]]*)):(\d{1,5})$/i.exec(text) ?? [];
  const address = v6 ?? plain;
  const port = Number(digits);
  if (address !== undefined && port >= 1 && port <= 65_535) return { address, port };
  context.addIssue(`'${text}' is not an address with a port: use 192.0.2.7:22 or [2001:db8::7]:22`);
  return z.NEVER;
});

/** A moment in ISO 8601, with a time of day, with a zone or in this machine's. Gives it in UTC. */
export const moment = z.string().transform((text, context): string => {
  const date = new Date(text);
  if (/^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}/.test(text) && !Number.isNaN(date.getTime())) return date.toISOString();
  context.addIssue(`'${text}' is not a moment: use 2026-11-30T01:00 or 2026-11-30T01:00Z`);
  return z.NEVER;
});

/** A whole number as an option gives it. */
export const count = z.string().regex(/^\d+$/, 'not a whole number').transform(Number);

/** Reads what commander gives against a schema; the first thing that does not fit becomes `bad-usage`. */
export function parseOptions<Schema extends z.ZodType>(schema: Schema, raw: unknown): z.output<Schema> {
  const parsed = schema.safeParse(raw, { error: inOurWords });
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new SealiftError('bad-usage', `${optionName(issue?.path ?? [])}${issue?.message ?? 'does not fit'}`);
}

/** What a person can do with; undefined leaves zod's own words. */
function inOurWords(issue: z.core.$ZodRawIssue): string | undefined {
  const given = `'${String(issue.input)}' `;
  if (issue.code === 'too_big' && issue.origin === 'number') return `${given}is more than ${String(issue.maximum)}`;
  if (issue.code === 'too_small' && issue.origin === 'number')
    return `${given}is ${issue.inclusive === true ? 'less than' : 'not more than'} ${String(issue.minimum)}`;
  if (issue.code === 'invalid_value') return `${given}is none of ${issue.values.map(String).join(', ')}`;
  if (issue.code === 'too_small' && issue.origin === 'string') return 'must not be empty';
  return undefined;
}

/** `--on-stuck-guest: ` for `onStuckGuest`. */
function optionName(path: PropertyKey[]): string {
  const [first] = path;
  if (typeof first !== 'string') return '';
  return `--${first.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}: `;
}
