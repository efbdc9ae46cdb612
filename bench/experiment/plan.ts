import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { parse, TomlError } from 'smol-toml';
import { z } from 'zod';
import { SealiftError } from '../../domain/error.ts';
import { errorCode } from '../../infra/lab/guest-disks.ts';
import { wayNames } from './way-names.ts';

const positive = z.number().positive();

/** Lines of one rate, and what crosses them. */
const lines = z.strictObject({
  rate_mbps: positive.max(10_000),
  round_trip_ms: z.array(z.number().min(0).max(2000)).min(1),
  /** Of each packet, one way. */
  loss_percent: z.array(z.number().min(0).max(50)).min(1).default([0]),
  /** `files`: a file system with files of this machine, some 30 % of it zeros; `random`: nothing but random bytes. */
  payload: z.enum(['files', 'random']).default('files'),
  payload_mib: z.int().min(4).max(65_536),
  /** Nothing passes for so long, from so long after the bytes have begun to cross. */
  outage: z.strictObject({ after_seconds: z.number().min(0), seconds: positive }).optional(),
});

/** What is measured: each way over each line, so many times. */
export const plan = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, 'not a name (a-z, 0-9 and "-")'),
  /** What it asks, for the heading of its part of the report. */
  title: z.string().min(1).max(200),
  ways: z.array(z.enum(wayNames)).min(1),
  repeats: z.int().min(1).max(100),
  /** By which algorithm of the kernel both sites send; the kernel's own choice when it is left out. What is sent inside of Sealift's `tunnel` goes by that in any case. */
  congestion: z
    .string()
    .regex(/^[a-z0-9_]+$/, 'not the name of an algorithm')
    .optional(),
  /** A way that takes longer has failed. */
  limit_seconds: positive,
  line: z.array(lines).min(1),
});
export type Plan = z.infer<typeof plan>;

/** One thing to measure, once. */
export interface Point {
  way: Plan['ways'][number];
  rateMbps: number;
  roundTripMs: number;
  lossPercent: number;
  outage: { afterSeconds: number; seconds: number } | null;
  payload: 'files' | 'random';
  payloadMib: number;
  /** From 1. */
  repeat: number;
}

/** Reads a plan's file. Throws `bad-usage` when it is not there, `bad-config` with the line or the field when it is no plan. */
export async function readPlan(path: string): Promise<Plan> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const code = errorCode(error) ?? 'unreadable';
    throw new SealiftError('bad-usage', `no plan can be read from ${path} (${code})`, { cause: error });
  }
  return parsePlan(text, path);
}

/** Reads the text of a plan; `name` stands in errors. */
export function parsePlan(text: string, name: string): Plan {
  let raw: unknown;
  try {
    raw = parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    throw new SealiftError('bad-config', `${name}:${error.line}:${error.column}: not TOML`, { cause: error });
  }
  const parsed = plan.safeParse(raw);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const at = issue?.path.join('.') ?? '';
  throw new SealiftError('bad-config', `${name}: ${at === '' ? '' : `${at}: `}${issue?.message ?? 'does not fit'}`);
}

/** What a plan says, whatever its spacing and comments. */
export function planDigest(of: Plan): string {
  return createHash('sha256').update(JSON.stringify(of)).digest('hex').slice(0, 16);
}

/**
 * All points in the order in which they are measured, one `[[line]]` after the other, so that a figure is whole as soon as may be. Each repeat of one goes over all its round
 * trips, and at each through all ways, beginning with another one each time: what else happens on the machine is spread over all.
 */
export function pointsOf({ ways, repeats, line: all }: Plan): Point[] {
  const points: Point[] = [];
  for (const one of all)
    for (let repeat = 1; repeat <= repeats; repeat += 1)
      for (const lossPercent of one.loss_percent)
        for (const roundTripMs of one.round_trip_ms)
          for (let turn = 0; turn < ways.length; turn += 1) {
            const way = ways[(turn + repeat - 1) % ways.length];
            if (way === undefined) continue;
            const { rate_mbps: rateMbps, payload, payload_mib: payloadMib, outage: cut } = one;
            const outage = cut === undefined ? null : { afterSeconds: cut.after_seconds, seconds: cut.seconds };
            points.push({ way, rateMbps, roundTripMs, lossPercent, outage, payload, payloadMib, repeat });
          }
  return points;
}

/** The same for two points that are the same. */
export function pointKey(point: Point): string {
  const { way, rateMbps, roundTripMs, lossPercent, outage, payload, payloadMib, repeat } = point;
  return JSON.stringify([way, rateMbps, roundTripMs, lossPercent, outage, payload, payloadMib, repeat]);
}

/** `100 Mbit/s, 40 ms, 1 % lost`. */
export function lineWords(of: Pick<Point, 'rateMbps' | 'roundTripMs' | 'lossPercent' | 'outage'>): string {
  const words = [rateWords(of.rateMbps), `${String(of.roundTripMs)} ms`];
  if (of.lossPercent > 0) words.push(`${String(of.lossPercent)} % lost`);
  if (of.outage !== null) words.push(`cut for ${String(of.outage.seconds)} s`);
  return words.join(', ');
}

/** `100 Mbit/s`, `1 Gbit/s`. */
export function rateWords(rateMbps: number): string {
  return rateMbps < 1000 ? `${String(rateMbps)} Mbit/s` : `${String(rateMbps / 1000)} Gbit/s`;
}
