import type { Plan } from '../plan.ts';
import { drawBars } from './bar-chart.ts';
import { spreadWords } from './figure.ts';
import type { Figure } from './figure.ts';
import { drawLines } from './line-chart.ts';
import type { LineChart } from './line-chart.ts';
import { published } from './published.ts';
import { bytesMs, labelOf, lookOf, repeatWords } from './seen.ts';
import type { Group, Seen } from './seen.ts';
import { groupBy, spreadOf } from './spread.ts';

/** How long it took over the round trip, or over the losses where the plan has several: everything, and the bytes alone. The first one is the study's Fig. 5. */
export function totalTimeFigures(plan: Plan, group: Group): Figure[] {
  const isStudy = plan.ways.includes('study-sealed') && plan.ways.includes('study-tunnel');
  const peers = plan.ways.some((way) => !/^(sealed|staged|tunnel|study-)/.test(way));
  const losses = new Set(group.seen.map(({ point }) => point.lossPercent));
  if (losses.size === 1 && new Set(group.seen.map(({ point }) => point.roundTripMs)).size === 1)
    return [atOnePlace(plan, group)];
  const panels =
    losses.size > 1
      ? [...groupBy(group.seen, ({ point }) => point.roundTripMs)].sort(([a], [b]) => a - b)
      : ([[null, group.seen]] as const);
  return panels.flatMap(([roundTripMs, seen]) => {
    const at = roundTripMs === null ? '' : ` · round trip ${String(roundTripMs)} ms`;
    const slug = roundTripMs === null ? group.slug : `${group.slug}-${String(roundTripMs)}ms`;
    const everything = {
      file: `${slug}-total.svg`,
      title: `Total time over the ${roundTripMs === null ? 'round trip' : 'losses'}`,
      told: `Everything is timed, from the order to shut down until the VM has started${peers ? ' (of a program that only copies: the copy and its sync)' : ''} · ${group.words}${at} · ${repeatWords(plan)}`,
      caption: isStudy
        ? `The study’s Fig. 5. It found that the two cross between ${published.crossingMs.join(' and ')} ms: the band. Its curves are not at hand, so none are drawn.`
        : 'Less is better.',
      secondsOf: ({ crossing }: Seen): number => crossing.totalMs / 1000,
    };
    const bytes = {
      file: `${slug}-bytes.svg`,
      title: `Time of the bytes over the ${roundTripMs === null ? 'round trip' : 'losses'}`,
      told: `Only the bytes are timed: from the disk at the source to the disk at the destination, encryption and sync included · ${group.words}${at} · ${repeatWords(plan)}`,
      caption:
        'The same crossings without shutting down, surveys, fences, the start and whatever else has nothing to do with bytes.',
      secondsOf: ({ crossing }: Seen): number => bytesMs(crossing) / 1000,
    };
    return [everything, bytes].map(({ file, title, told, caption, secondsOf }) => {
      const xOf = ({ point }: Seen): number => (roundTripMs === null ? point.roundTripMs : point.lossPercent);
      const chart: LineChart = {
        title: `${title}, ${group.words.split(' · ')[0] ?? ''}`,
        told,
        x: roundTripMs === null ? 'round trip, ms' : 'packets lost, %',
        y: 'seconds',
        series: group.ways.map((way) => ({
          name: labelOf(way),
          look: lookOf(way),
          points: pointsOf(
            seen.filter(({ point }) => point.way === way),
            xOf,
            secondsOf,
          ),
        })),
        ...(isStudy && {
          band: { from: published.crossingMs[0], to: published.crossingMs[1], label: 'published: they cross here' },
        }),
      };
      return { file, title: chart.title, caption, svg: drawLines(chart), table: tableOf(chart) };
    });
  });
}

/** On one line only there is nothing to draw curves over. */
function atOnePlace(plan: Plan, group: Group): Figure {
  const title = `Total time, ${group.words.split(' · ')[0] ?? ''}`;
  const kinds = [
    { name: 'everything, from the order to the start', look: 0 },
    { name: 'the bytes alone, encryption and sync included', look: 5 },
  ];
  const rows = group.ways.map((way) => {
    const own = group.seen.filter(({ point }) => point.way === way).map(({ crossing }) => crossing);
    const [all, bytes] = [own.map(({ totalMs }) => totalMs / 1000), own.map((one) => bytesMs(one) / 1000)];
    return { name: labelOf(way), bars: [spreadOf(all), spreadOf(bytes)] };
  });
  const [first] = group.seen;
  const told = `Both are timed · ${group.words} · round trip ${String(first?.point.roundTripMs ?? 0)} ms · ${repeatWords(plan)}`;
  return {
    file: `${group.slug}-total.svg`,
    title,
    caption: 'Less is better. A way that is not here has failed, or was missing: see above.',
    svg: drawBars({ title, told, x: 'seconds', kinds, rows }),
    table: {
      head: ['', ...kinds.map(({ name }) => `${name}, s`)],
      rows: rows.map(({ name, bars }) => [name, ...bars.map((bar) => spreadWords(bar))]),
    },
  };
}

/** The spread at each place, from left to right. */
export function pointsOf<Item>(
  items: readonly Item[],
  xOf: (item: Item) => number,
  yOf: (item: Item) => number,
): LineChart['series'][number]['points'] {
  return [...groupBy(items, xOf)]
    .map(([x, all]) => ({ x, y: spreadOf(all.map(yOf)) }))
    .sort((one, other) => one.x - other.x);
}

/** The values of a chart: a row for each place, a column for each curve. */
export function tableOf({ x, y, series }: LineChart): Figure['table'] {
  const places = [...new Set(series.flatMap(({ points }) => points.map((point) => point.x)))].sort((a, b) => a - b);
  return {
    head: [x, ...series.map(({ name }) => `${name}, ${y}`)],
    rows: places.map((place) => [
      String(place),
      ...series.map(({ points }) => {
        const found = points.find((point) => point.x === place);
        return found === undefined ? '' : spreadWords(found.y);
      }),
    ]),
  };
}
