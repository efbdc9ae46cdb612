import { pointKey } from './plan.ts';
import type { Point } from './plan.ts';

/** What every crossing takes besides its bytes, before any was seen. */
const besideMs = 2000;
const firstFactor = 2;

/** How long what is left of an experiment will take, by how much longer than the line needs each way took so far. */
export class Forecast {
  readonly #left: Map<string, Point>;
  readonly #seen = new Map<string, { tookMs: number; lineMs: number }>();

  constructor(todo: readonly Point[]) {
    this.#left = new Map(todo.map((point) => [pointKey(point), point]));
  }

  get left(): number {
    return this.#left.size;
  }

  /** A point is behind us, however it went; null: nothing of it was tried. */
  passed(point: Point, tookMs: number | null): void {
    this.#left.delete(pointKey(point));
    if (tookMs === null) return;
    for (const key of [point.way, '']) {
      const { tookMs: before, lineMs: ideal } = this.#seen.get(key) ?? { tookMs: 0, lineMs: 0 };
      this.#seen.set(key, { tookMs: before + tookMs, lineMs: ideal + lineMs(point) });
    }
  }

  leftMs(): number {
    const looks = new Set<string>();
    let ms = 0;
    for (const point of this.#left.values()) {
      const seen = this.#seen.get(point.way) ?? this.#seen.get('');
      ms += lineMs(point) * (seen === undefined ? firstFactor : seen.tookMs / seen.lineMs);
      const line = JSON.stringify([point.rateMbps, point.roundTripMs, point.lossPercent, point.repeat]);
      if (!looks.has(line)) ms += lookMs(point);
      looks.add(line);
    }
    return ms;
  }
}

/** What the line itself needs for it. */
function lineMs({ payloadMib, rateMbps, roundTripMs }: Point): number {
  return (payloadMib * 8 * 1.048576 * 1000) / rateMbps + 10 * roundTripMs + besideMs;
}

/** A look at the line takes what measure.ts waits for. */
function lookMs({ roundTripMs }: Point): number {
  return 6000 + 36 * roundTripMs;
}
