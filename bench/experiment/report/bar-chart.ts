import { frame, grid, head, labelSize, tickWords, ticks, width } from './frame.ts';
import type { Words } from './frame.ts';
import type { Spread } from './spread.ts';
import { element, line, text, textWidth } from './svg.ts';

interface Axis extends Words {
  x: string;
}

/** Rows of bars beside each other, each with its spread. */
export interface BarChart extends Axis {
  kinds: { name: string; look: number }[];
  /** A bar for each kind; null: there is none. */
  rows: { name: string; bars: (Spread | null)[] }[];
}

/** Rows of one bar each, made of parts that follow one another. */
export interface StackChart extends Axis {
  kinds: { name: string; look: number }[];
  rows: { name: string; parts: number[] }[];
}

const barHeight = 15;
const rowGap = 12;

/** Bars from left to right: names are read without turning one's head. */
export function drawBars({ kinds, rows, ...words }: BarChart): string {
  const most = Math.max(0, ...rows.flatMap(({ bars }) => bars.map((bar) => bar?.most ?? 0)));
  const each = Math.max(1, kinds.length) * barHeight;
  return drawRows(words, kinds, rows, most * 1.12, each, ({ bars }, y, xAt) =>
    bars.flatMap((bar, index) => {
      if (bar === null) return [];
      const [top, middle] = [y + index * barHeight, y + index * barHeight + (barHeight - 3) / 2];
      const look = kinds[index]?.look ?? 0;
      const parts = [
        element('rect', {
          x: xAt(0),
          y: top,
          width: Math.max(1, xAt(bar.median) - xAt(0)),
          height: barHeight - 3,
          class: `f${String(look)}`,
        }),
        text(Math.max(xAt(bar.median), xAt(bar.most)) + 6, middle + 4, valueWords(bar.median), {
          class: 'ink',
          'font-size': 10.5,
        }),
      ];
      if (bar.most > bar.least)
        parts.push(
          line(xAt(bar.least), middle, xAt(bar.most), middle, 'axis'),
          line(xAt(bar.least), middle - 4, xAt(bar.least), middle + 4, 'axis'),
          line(xAt(bar.most), middle - 4, xAt(bar.most), middle + 4, 'axis'),
        );
      return parts;
    }),
  );
}

export function drawStack({ kinds, rows, ...words }: StackChart): string {
  const sums = rows.map(({ parts }) => parts.reduce((sum, part) => sum + part, 0));
  const most = Math.max(0, ...sums);
  return drawRows(words, kinds, rows, most * 1.08, barHeight + 4, ({ parts }, y, xAt) => {
    let from = 0;
    const drawn = parts.map((part, index) => {
      const rect = element('rect', {
        x: xAt(from),
        y,
        width: Math.max(0, xAt(from + part) - xAt(from)),
        height: barHeight + 1,
        class: `rim f${String(kinds[index]?.look ?? 0)}`,
      });
      from += part;
      return part > 0 ? rect : '';
    });
    return [...drawn, text(xAt(from) + 6, y + 12, valueWords(from), { class: 'ink', 'font-size': 10.5 })];
  });
}

function drawRows<Row extends { name: string }>(
  words: Axis,
  kinds: readonly { name: string; look: number }[],
  rows: readonly Row[],
  most: number,
  each: number,
  draw: (row: Row, y: number, xAt: (value: number) => number) => string[],
): string {
  const { parts, height: top } = head(
    words,
    kinds.map(({ name, look }) => ({
      name,
      mark: (x, y) => element('rect', { x: x - 9, y: y - 6, width: 18, height: 12, class: `f${String(look)}` }),
    })),
  );
  const left = 30 + Math.max(60, ...rows.map(({ name }) => textWidth(name, labelSize)));
  const right = width - 28;
  const bottom = top + rows.length * (each + rowGap) + 4;
  const scale = ticks(most);
  const xAt = (value: number): number => left + ((right - left) * value) / (scale.at(-1) ?? 1);
  for (const value of scale) {
    parts.push(grid(xAt(value), top - 4, xAt(value), bottom));
    const attributes = { class: 'faint', 'font-size': labelSize, 'text-anchor': 'middle' };
    parts.push(text(xAt(value), bottom + 18, tickWords(value), attributes));
  }
  for (const [index, row] of rows.entries()) {
    const y = top + index * (each + rowGap) + rowGap / 2;
    const name = { class: 'ink', 'font-size': labelSize, 'text-anchor': 'end' };
    parts.push(text(left - 10, y + each / 2 + 3, row.name, name), ...draw(row, y, xAt));
  }
  parts.push(line(left, top - 4, left, bottom, 'axis'));
  const label = { class: 'ink', 'font-size': labelSize, 'text-anchor': 'middle' };
  parts.push(text((left + right) / 2, bottom + 39, words.x, label));
  return frame(words, bottom + 52, parts);
}

/** Three digits. */
function valueWords(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
