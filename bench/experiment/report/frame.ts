import { line, picture, text, textWidth, wrap } from './svg.ts';

export const width = 760;
const titleSize = 15;
const smallSize = 11.5;
export const labelSize = 12;

/** What is above and around a figure's plot. */
export interface Words {
  title: string;
  /** What is timed or counted, and of what: under the title. */
  told: string;
}

export interface LegendEntry {
  name: string;
  /** Drawn left of the name, around this place. */
  mark: (x: number, y: number) => string;
}

/** Title, what is told, and the legend; gives what they take of the height. */
export function head({ title, told }: Words, legend: readonly LegendEntry[]): { parts: string[]; height: number } {
  const parts: string[] = [];
  let y = 24;
  for (const row of wrap(title, titleSize, width - 40)) {
    parts.push(text(20, y, row, { class: 'ink', 'font-size': titleSize, 'font-weight': 'bold' }));
    y += 19;
  }
  for (const row of wrap(told, smallSize, width - 40)) {
    parts.push(text(20, y, row, { class: 'faint', 'font-size': smallSize }));
    y += 15;
  }
  y += 8;
  let x = 20;
  for (const { name, mark } of legend) {
    const wide = 30 + textWidth(name, labelSize) + 20;
    if (x + wide > width - 10) {
      x = 20;
      y += 19;
    }
    parts.push(mark(x + 12, y - 4), text(x + 30, y, name, { class: 'ink', 'font-size': labelSize }));
    x += wide;
  }
  return { parts, height: legend.length === 0 ? y : y + 16 };
}

/** Puts a figure together. */
export function frame({ title, told }: Words, height: number, parts: string[]): string {
  return picture(width, height, title, told, parts);
}

/** A linear scale from 0, in steps of 1, 2 or 5 times a power of ten. */
export function ticks(most: number, about = 6): number[] {
  const rough = (most > 0 ? most : 1) / about;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough) ?? power * 10;
  const count = Math.ceil((most > 0 ? most : 1) / step - 1e-9);
  return Array.from({ length: count + 1 }, (_, index) => Number((index * step).toPrecision(6)));
}

/** `0`, `12.5`, `1,200`. */
export function tickWords(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: 3 });
}

export function grid(x1: number, y1: number, x2: number, y2: number): string {
  return line(x1, y1, x2, y2, 'grid');
}
