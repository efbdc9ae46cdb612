import type { Plan } from '../plan.ts';
import type { Figure } from './figure.ts';
import { drawLines } from './line-chart.ts';
import type { LineChart } from './line-chart.ts';
import { published } from './published.ts';
import { labelOf } from './seen.ts';
import type { Group, Seen } from './seen.ts';
import { groupBy, spreadOf } from './spread.ts';
import { tableOf } from './total-time.ts';

/** The study's Fig. 7: the total time of its proposal as a share of the tunnel's, all rates in one figure. */
export function ratioFigures(plan: Plan, groups: readonly Group[]): Figure[] {
  const series = groups.flatMap((group, look) => {
    const points = ratiosOf(group.seen);
    return points.length === 0 ? [] : [{ name: group.words.split(' · ')[0] ?? '', look, points }];
  });
  if (series.length === 0) return [];
  const { percent, fromMs } = published.ratio;
  const chart: LineChart = {
    title: `“${labelOf('study-sealed')}” as a share of “${labelOf('study-tunnel')}”`,
    told: `Total time of the one divided by that of the other in the same repeat; everything is timed. ${plan.repeats === 1 ? 'Measured once' : `Medians of ${String(plan.repeats)}, bars from the least to the most`}`,
    x: 'round trip, ms',
    y: 'percent',
    series,
    known: { y: percent, from: fromMs, label: `published: about ${String(percent)} % from ${String(fromMs)} ms on` },
  };
  return [
    {
      file: `${plan.name}-ratio.svg`,
      title: chart.title,
      caption:
        'The study’s Fig. 7. Below 100 % encrypting first is faster. Of the published curve only what the dashed line says is at hand.',
      svg: drawLines(chart),
      table: tableOf(chart),
    },
  ];
}

function ratiosOf(seen: readonly Seen[]): LineChart['series'][number]['points'] {
  const points = [...groupBy(seen, ({ point }) => point.roundTripMs)].flatMap(([x, all]) => {
    const ratios = [...groupBy(all, ({ point }) => point.repeat).values()].flatMap((pair) => {
      const [sealed, tunnel] = (['study-sealed', 'study-tunnel'] as const).map(
        (way) => pair.find(({ point }) => point.way === way)?.crossing.totalMs,
      );
      return sealed === undefined || tunnel === undefined ? [] : [(100 * sealed) / tunnel];
    });
    return ratios.length === 0 ? [] : [{ x, y: spreadOf(ratios) }];
  });
  return points.sort((one, other) => one.x - other.x);
}
