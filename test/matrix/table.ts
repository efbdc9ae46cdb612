import type { Fault } from './faults/fault.ts';
import { faults, nothing } from './faults/faults.ts';
import { fits } from './play.ts';
import type { Outcome } from './play.ts';
import { copyMethod, points } from './points.ts';
import type { Point } from './points.ts';

/** What came of many runs whose faults met something, as Markdown: by fault, then by point, how they ended and how long they took; then how often each fault struck at each point. */
export function table(outcomes: Outcome[]): string {
  const struck = outcomes.filter((one) => one.struck && one.met);
  const idle = outcomes.filter((one) => one.struck && !one.met).length;
  const reached = new Set(struck.map(({ point }) => point)).size;
  const bad = outcomes.filter(({ complaints }) => complaints.length > 0).length;
  return [
    ...linesOf('fault', [nothing, ...faults], 'points', ({ point }) => point, struck),
    '',
    ...linesOf('point', points, 'faults', ({ fault }) => fault, struck),
    '',
    ...grid([nothing, ...faults], struck),
    '',
    `${String(outcomes.length)} runs, ${String(struck.length)} of them struck, at ${String(reached)} of ${String(points.length)} points, and ${String(idle)} in which nothing was left to harm; ${String(bad)} with complaints.`,
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
    const good = own.filter(({ complaints }) => complaints.length === 0);
    const stayed = good.filter(({ end }) => end === 'lon-1').length;
    const met = new Set(own.map(otherOf)).size;
    const cells = [own.length, met, good.length - stayed, stayed, own.length - good.length].map(String);
    return `| ${[name, ...cells, own.length === 0 ? '' : seconds(median(own.map(({ ms }) => ms)))].join(' | ')} |`;
  });
  return [
    `| ${what} | runs | ${others} | moved | stayed, or came back | complaints | median |`,
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...lines,
  ];
}

/** One character for each fault at each point: how often it struck there, `!` when a complaint came of one, a blank where it does not fit. */
function grid(columns: Fault[], struck: Outcome[]): string[] {
  const cell = (point: Point, fault: Fault): string => {
    const met = struck.filter((one) => one.point === point.name && one.fault === fault.name);
    if (met.length === 0 && !copyMethod.options.some((method) => fits(fault, point, method))) return ' ';
    if (met.some(({ complaints }) => complaints.length > 0)) return '!';
    return met.length === 0 ? '.' : String(Math.min(met.length, 9));
  };
  const width = Math.max(...points.map(({ name }) => name.length));
  const letters = columns.map((_, at) => 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'[at] ?? '?');
  return [
    '```text',
    `${' '.repeat(width)}  ${letters.join('')}`,
    ...points.map((point) =>
      `${point.name.padEnd(width)}  ${columns.map((fault) => cell(point, fault)).join('')}`.trimEnd(),
    ),
    '',
    ...columns.map(({ name }, at) => `${letters[at] ?? '?'} ${name}`),
    '```',
  ];
}

function median(of: number[]): number {
  const sorted = of.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
