import type { Method } from '../../domain/names.ts';
import { faults } from './faults/faults.ts';
import { fits } from './play.ts';
import type { Cast } from './play.ts';
import { points } from './points.ts';
import { Random } from './random.ts';

/**
 * Few runs that cover every point and every fault at least once, half of them by each method: each point gets the fault that
 * was used least, of those that can do something there. The seed changes who meets whom.
 */
export function pairing(seed: number): Cast[] {
  const random = new Random(seed);
  const used = new Map(faults.map((fault) => [fault, 0]));
  const methods = { sealed: 0, staged: 0 };
  const casts: Cast[] = [];
  const add = (point: Cast['point'], of: readonly Method[], among: readonly Cast['fault'][]): void => {
    const method = of.reduce((least, one) => (methods[one] < methods[least] ? one : least));
    const able = among.filter((fault) => fits(fault, point, method));
    const least = Math.min(...able.map((fault) => used.get(fault) ?? 0));
    const fault = random.one(able.filter((one) => used.get(one) === least));
    used.set(fault, (used.get(fault) ?? 0) + 1);
    methods[method] += 1;
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
  return casts;
}
