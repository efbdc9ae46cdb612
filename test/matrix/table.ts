import { faults, nothing } from './faults/faults.ts';
import type { Outcome } from './play.ts';
import { points } from './points.ts';

/** What came of many runs as Markdown: a line a fault, with the places where it struck, how the runs ended and how long they took. */
export function table(outcomes: Outcome[]): string {
  const struck = outcomes.filter((one) => one.struck);
  const lines = [nothing, ...faults].map(({ name }) => {
    const own = struck.filter(({ fault }) => fault === name);
    const at = (end: string): number => own.filter((one) => one.complaints.length === 0 && one.end === end).length;
    const bad = own.filter(({ complaints }) => complaints.length > 0).length;
    const places = new Set(own.map(({ point }) => point)).size;
    const cells = [own.length, places, at('fra-1'), at('lon-1'), bad].map(String);
    return `| ${[name, ...cells, own.length === 0 ? '' : seconds(median(own.map(({ ms }) => ms)))].join(' | ')} |`;
  });
  const reached = new Set(struck.map(({ point }) => point)).size;
  const bad = outcomes.filter(({ complaints }) => complaints.length > 0).length;
  return [
    '| fault | runs | points | moved | stayed, or came back | complaints | median |',
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...lines,
    '',
    `${String(outcomes.length)} runs, ${String(struck.length)} of them struck, at ${String(reached)} of ${String(points.length)} points; ${String(bad)} with complaints.`,
    '',
  ].join('\n');
}

function median(of: number[]): number {
  const sorted = of.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
