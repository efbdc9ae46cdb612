import type { Spread } from './spread.ts';

/** A figure as it stands in the report, and as a file beside it. */
export interface Figure {
  file: string;
  title: string;
  /** What it says, and what it does not. */
  caption: string;
  svg: string;
  table: { head: string[]; rows: string[][] };
}

/** `12.3 (11.9–13.0)`. */
export function spreadWords({ median, least, most, count }: Spread, digits = 2): string {
  if (count === 1) return median.toFixed(digits);
  return `${median.toFixed(digits)} (${least.toFixed(digits)}–${most.toFixed(digits)})`;
}
