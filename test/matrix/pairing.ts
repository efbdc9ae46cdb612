import type { Fault } from './faults/fault.ts';
import { faults } from './faults/faults.ts';
import { guestFaults } from './faults/guests.ts';
import { networkFaults } from './faults/network.ts';
import { fits, pathTo } from './play.ts';
import type { Cast } from './play.ts';
import { points } from './points.ts';
import { Random } from './random.ts';
import type { CopyMethod } from './points.ts';

/** How long a run takes by each, roughly: the two lanes are to end together. */
const seconds = { sealed: 14, staged: 19 } satisfies Record<CopyMethod, number>;

/**
 * Few runs that cover every point and every fault at least once, in about the same time by each method: each point gets the fault
 * that was used least, of those that can do something there, and among these one that can at few points. A run goes on after a fault
 * that passes, so that another one strikes later in it. The seed changes who meets whom.
 */
export function pairing(seed: number): Cast[] {
  const random = new Random(seed);
  const used = new Map(faults.map((fault) => [fault, 0]));
  const lanes = { sealed: 0, staged: 0 };
  const casts: Cast[] = [];
  const add = (point: Cast['point'], of: readonly CopyMethod[], among: readonly Cast['fault'][]): void => {
    const method = of.reduce((least, one) => (lanes[one] < lanes[least] ? one : least));
    const able = among.filter((fault) => fits(fault, point, method));
    const fresh = leastOf(able, (one) => (used.get(one) ?? 0) * (one.slow === true ? 10 : 1));
    const fault = random.one(leastOf(fresh, chances));
    used.set(fault, (used.get(fault) ?? 0) + 1);
    lanes[method] += seconds[method];
    casts.push({ seed: seed * 1_000 + casts.length, method, point, fault });
  };
  for (const point of points) add(point, point.methods, faults);
  for (const fault of faults) {
    if (used.get(fault) !== 0) continue;
    const able = points.flatMap((point) =>
      point.methods.filter((method) => fits(fault, point, method)).map((method) => ({ point, method })),
    );
    const { point, method } = random.one(able);
    add(point, [method], [fault]);
  }
  return joined(casts);
}

/** How many points a fault can do something at, in steps, so that those of a kind are alike. */
function chances(fault: Fault): number {
  const able = points.filter((point) => point.methods.some((method) => fits(fault, point, method)));
  return Math.ceil(able.length / 15);
}

function leastOf<Item>(items: readonly Item[], measure: (item: Item) => number): Item[] {
  const least = Math.min(...items.map(measure));
  return items.filter((item) => measure(item) === least);
}

/** Two casts become one run where the first may go before the other; those that none can follow are followed first. */
function joined(casts: Cast[]): Cast[] {
  const left = new Set(casts);
  const runs: Cast[] = [];
  const byNeed = casts.toSorted((a, b) => Number(a.fault.passes === true) - Number(b.fault.passes === true));
  for (const cast of byNeed) {
    if (!left.delete(cast)) continue;
    const before = [...left].filter((one) => mayGoBefore(one, cast)).at(-1);
    if (before !== undefined) left.delete(before);
    runs.push(before === undefined ? cast : { ...cast, first: { point: before.point, fault: before.fault } });
  }
  return runs;
}

function mayGoBefore(first: Cast, { method, point, fault }: Cast): boolean {
  if (first.fault.passes !== true || first.method !== method) return false;
  // Those have a path of their own.
  if (first.fault.afterReturn === true || fault.afterReturn === true) return false;
  // The later one would take the place of the earlier.
  if ([networkFaults, guestFaults].some((kind) => kind.includes(first.fault) && kind.includes(fault))) return false;
  return points.indexOf(first.point) < points.indexOf(point) && pathTo(point).includes(first.point.stage);
}
