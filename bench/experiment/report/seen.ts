import { pointKey, rateWords } from '../plan.ts';
import type { Plan, Point } from '../plan.ts';
import type { Crossing, Entry, Read } from '../results.ts';
import type { WayName } from '../way-names.ts';
import { groupBy } from './spread.ts';
import { wayWords } from './words.ts';

/** One crossing with what it was. */
export interface Seen {
  point: Point;
  crossing: Crossing;
}

/** Crossings over lines of one rate with one payload: what one figure shows. */
export interface Group {
  /** Part of file names. */
  slug: string;
  /** `100 Mbit/s, 128 MiB of files (30 % zeros)`. */
  words: string;
  /** The plan's, in its order, of which something was seen. */
  ways: WayName[];
  seen: Seen[];
}

/** What was seen of a plan, each point once, by the lines of the plan. */
export function groupsOf({ plan, entries }: Read): Group[] {
  const crossed = new Map<string, Seen>();
  for (const entry of entries) if (entry.kind === 'crossed') crossed.set(pointKey(entry.point), entry);
  const kindOf = ({ point: { rateMbps, payload, payloadMib, outage } }: Seen): string =>
    JSON.stringify([rateMbps, payload, payloadMib, outage]);
  return [...groupBy([...crossed.values()], kindOf).values()].map((seen) => {
    const { rateMbps, payload, payloadMib, outage } = seen[0]?.point ?? emptyPoint;
    const content = payload === 'files' ? 'files, a third zeros' : 'random bytes, no zeros';
    const cut = outage === null ? '' : `, cut for ${String(outage.seconds)} s after ${String(outage.afterSeconds)} s`;
    return {
      slug: `${plan.name}-${String(rateMbps)}mbps-${String(payloadMib)}mib-${payload}${outage === null ? '' : `-cut-${String(outage.seconds)}s`}`,
      words: `${rateWords(rateMbps)}${cut} · ${String(payloadMib)} MiB (${content})`,
      ways: plan.ways.filter((way) => seen.some(({ point }) => point.way === way)),
      seen,
    };
  });
}

/** Points that failed and were not done later, each with its newest reason. */
export function failuresOf({ entries }: Read): { point: Point; why: string }[] {
  const open = new Map<string, { point: Point; why: string }>();
  for (const entry of entries) {
    if (entry.kind === 'failed') open.set(pointKey(entry.point), entry);
    if (entry.kind === 'crossed') open.delete(pointKey(entry.point));
  }
  return [...open.values()];
}

/** What ways lacked in the newest session. */
export function missingOf({ entries }: Read): { way: WayName; lacks: string[] }[] {
  return entries.filter((entry) => entry.kind === 'session').at(-1)?.missing ?? [];
}

/** Of the kind. */
export function entriesOf<Kind extends Entry['kind']>({ entries }: Read, kind: Kind): Extract<Entry, { kind: Kind }>[] {
  return entries.filter((entry): entry is Extract<Entry, { kind: Kind }> => entry.kind === kind);
}

/** The milliseconds of the phases in which bytes got nearer to the destination. */
export function bytesMs({ phases }: Crossing): number {
  return phases.reduce((sum, { ms, bytes }) => sum + (bytes ? ms : 0), 0);
}

/** By what a way is drawn in all figures: the same for all of them. */
export function lookOf(way: WayName): number {
  return wayWords[way].look;
}

export function labelOf(way: WayName): string {
  return wayWords[way].label;
}

/** `medians of 3, bars from the least to the most`. */
export function repeatWords({ repeats }: Plan): string {
  return repeats === 1 ? 'measured once' : `medians of ${String(repeats)}, bars from the least to the most`;
}

const emptyPoint = { rateMbps: 0, payload: 'files', payloadMib: 0, outage: null } as const;
