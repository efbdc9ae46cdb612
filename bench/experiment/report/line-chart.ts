import { frame, grid, head, labelSize, tickWords, ticks, width } from './frame.ts';
import type { Words } from './frame.ts';
import type { Spread } from './spread.ts';
import { mark } from './marks.ts';
import { element, line, px, text } from './svg.ts';

/** One curve: what was seen at each place, with its spread. */
export interface Series {
  name: string;
  /** Its colour and mark, by number. */
  look: number;
  points: { x: number; y: Spread }[];
  /** A curve of samples: no marks and no spread. */
  plain?: boolean;
}

export interface LineChart extends Words {
  x: string;
  y: string;
  series: Series[];
  /** A stretch of the x axis that somebody has named. */
  band?: { from: number; to: number; label: string };
  /** A value that somebody has named, from a place of the x axis on. */
  known?: { y: number; from: number; label: string };
}

const plot = { left: 66, right: width - 22, height: 270 };

/** Curves over a line's round trip, its losses or time. */
export function drawLines(chart: LineChart): string {
  const { series, band, known } = chart;
  const { parts, height: top } = head(
    chart,
    series.map(({ name, look, plain = false }) => ({ name, mark: (x, y) => legendMark(x, y, look, plain) })),
  );
  const bottom = top + plot.height;
  const all = series.flatMap(({ points }) => points);
  const xTicks = placesOf(all.map(({ x }) => x).concat(band === undefined ? [] : [band.to]));
  const yTicks = ticks(Math.max(0, ...all.map(({ y }) => y.most), known?.y ?? 0));
  const [xMost, yMost] = [xTicks.at(-1) ?? 1, yTicks.at(-1) ?? 1];
  const xAt = (x: number): number => plot.left + 12 + ((plot.right - plot.left - 24) * x) / (xMost || 1);
  const yAt = (y: number): number => bottom - (plot.height * y) / yMost;
  if (band !== undefined) {
    const x = xAt(band.from);
    parts.push(element('rect', { x, y: top, width: xAt(band.to) - x, height: plot.height, class: 'band' }));
  }
  for (const y of yTicks) {
    parts.push(grid(plot.left, yAt(y), plot.right, yAt(y)));
    parts.push(text(plot.left - 8, yAt(y) + 4, tickWords(y), small('end')));
  }
  for (const x of xTicks) {
    parts.push(
      line(xAt(x), bottom, xAt(x), bottom + 5, 'axis'),
      text(xAt(x), bottom + 19, tickWords(x), small('middle')),
    );
  }
  parts.push(line(plot.left, bottom, plot.right, bottom, 'axis'));
  parts.push(text((plot.left + plot.right) / 2, bottom + 40, chart.x, small('middle', 'ink')));
  const middle = top + plot.height / 2;
  parts.push(text(18, middle, chart.y, { ...small('middle', 'ink'), transform: `rotate(-90 18 ${px(middle)})` }));
  if (known !== undefined) parts.push(line(xAt(known.from), yAt(known.y), plot.right, yAt(known.y), 'known'));
  for (const [index, one] of series.entries())
    parts.push(...drawSeries(one, (index - (series.length - 1) / 2) * 2.4, xAt, yAt));
  // Words come last: they stand over curves.
  if (band !== undefined)
    parts.push(text((xAt(band.from) + xAt(band.to)) / 2, top + 14, band.label, small('middle', 'ink halo')));
  if (known !== undefined)
    parts.push(text(xAt(known.from) + 6, yAt(known.y) + 17, known.label, small('start', 'ink halo')));
  return frame(chart, bottom + 54, parts);
}

/** `aside`: so many pixels to the right, so that spreads at one place stand beside each other. */
function drawSeries(
  { points, look, plain = false }: Series,
  aside: number,
  xAt: (x: number) => number,
  yAt: (y: number) => number,
): string[] {
  const shift = plain ? 0 : aside;
  const path = points.map(({ x, y }, index) => `${index === 0 ? 'M' : 'L'}${px(xAt(x) + shift)} ${px(yAt(y.median))}`);
  const parts = [element('path', { d: path.join(''), class: `curve s${String(look)}` })];
  if (plain) return parts;
  for (const { x, y } of points) {
    const at = xAt(x) + shift;
    const whisker = `bar s${String(look)}`;
    if (y.most > y.least)
      parts.push(
        line(at, yAt(y.least), at, yAt(y.most), whisker),
        line(at - 4, yAt(y.least), at + 4, yAt(y.least), whisker),
        line(at - 4, yAt(y.most), at + 4, yAt(y.most), whisker),
      );
    parts.push(mark(at, yAt(y.median), look));
  }
  return parts;
}

function legendMark(x: number, y: number, look: number, plain: boolean): string {
  return line(x - 11, y, x + 11, y, `curve s${String(look)}`) + (plain ? '' : mark(x, y, look));
}

/** The places themselves where they are few; else a scale. */
function placesOf(xs: readonly number[]): number[] {
  const own = [...new Set(xs)].sort((a, b) => a - b);
  return own.length <= 12 && own.length > 1 ? own : ticks(Math.max(0, ...xs));
}

function small(anchor: 'start' | 'middle' | 'end', of = 'faint'): Record<string, string | number> {
  return { class: of, 'font-size': labelSize, 'text-anchor': anchor };
}
