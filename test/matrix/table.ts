import { faults, nothing } from './faults/faults.ts';
import type { Outcome } from './play.ts';
import { points } from './points.ts';

/** What came of many runs as Markdown: by fault, then by point, how the runs ended and how long they took. */
export function table(outcomes: Outcome[]): string {
  const struck = outcomes.filter((one) => one.struck);
  const reached = new Set(struck.map(({ point }) => point)).size;
  const bad = outcomes.filter(({ complaints }) => complaints.length > 0).length;
  return [
    ...linesOf('fault', [nothing, ...faults], 'points', ({ point }) => point, struck),
    '',
    ...linesOf('point', points, 'faults', ({ fault }) => fault, struck),
    '',
    `${String(outcomes.length)} runs, ${String(struck.length)} of them struck, at ${String(reached)} of ${String(points.length)} points; ${String(bad)} with complaints.`,
    '',
  ].join('\n');
}

function linesOf(
  what: 'fault' | 'point',
  all: { name: string }[],
  others: string,
  otherOf: (one: Outcome) => string,
  struck: Outcome[],
): string[] {
  const lines = all.map(({ name }) => {
    const own = struck.filter((one) => one[what] === name);
    const at = (end: string): number => own.filter((one) => one.complaints.length === 0 && one.end === end).length;
    const bad = own.filter(({ complaints }) => complaints.length > 0).length;
    const met = new Set(own.map(otherOf)).size;
    const cells = [own.length, met, at('fra-1'), at('lon-1'), bad].map(String);
    return `| ${[name, ...cells, own.length === 0 ? '' : seconds(median(own.map(({ ms }) => ms)))].join(' | ')} |`;
  });
  return [
    `| ${what} | runs | ${others} | moved | stayed, or came back | complaints | median |`,
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...lines,
  ];
}

function median(of: number[]): number {
  const sorted = of.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
