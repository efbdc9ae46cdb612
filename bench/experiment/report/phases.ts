import type { Plan } from '../plan.ts';
import { drawStack } from './bar-chart.ts';
import { spreadWords } from './figure.ts';
import type { Figure } from './figure.ts';
import { drawLines } from './line-chart.ts';
import type { LineChart } from './line-chart.ts';
import { labelOf, repeatWords } from './seen.ts';
import type { Group, Seen } from './seen.ts';
import { spreadOf } from './spread.ts';
import { pointsOf, tableOf } from './total-time.ts';
import { steps } from './words.ts';

const localPhases = ['encrypt', 'decrypt', 'shut down', 'restart'];

/** The study's Fig. 6: what does not depend on the network, over the round trip, so that one sees that it does not. */
export function localPhaseFigures(plan: Plan, group: Group): Figure[] {
  const seen = group.seen.filter(({ point }) => point.way === 'study-sealed');
  if (seen.length === 0) return [];
  const chart: LineChart = {
    title: `Phases that do not depend on the network, ${group.words.split(' · ')[0] ?? ''}`,
    told: `Each of these phases alone is timed, of the way “${labelOf('study-sealed')}” · ${group.words} · ${repeatWords(plan)}`,
    x: 'round trip, ms',
    y: 'seconds',
    series: localPhases.map((name, look) => ({
      name,
      look,
      points: pointsOf(
        seen,
        ({ point }) => point.roundTripMs,
        ({ crossing }) => msOf(crossing.phases, [name]) / 1000,
      ),
    })),
  };
  return [
    {
      file: `${group.slug}-local.svg`,
      title: chart.title,
      caption:
        'The study’s Fig. 6; its values are not at hand, so none are drawn. Shutdown and restart are those of a domain on stand-in Xen, which halts and boots far faster than a guest on real Xen.',
      svg: drawLines(chart),
      table: tableOf(chart),
    },
  ];
}

/** Where the time goes: each way at the shortest, a middle and the longest round trip. */
export function phaseFigures(plan: Plan, group: Group): Figure[] {
  const losses = Math.min(...group.seen.map(({ point }) => point.lossPercent));
  const still = group.seen.filter(({ point }) => point.lossPercent === losses);
  const trips = [...new Set(still.map(({ point }) => point.roundTripMs))].sort((a, b) => a - b);
  const chosen = [...new Set([trips[0], trips[Math.floor((trips.length - 1) / 2)], trips.at(-1)])];
  const kinds = [...steps.map(({ name }) => name), 'between'];
  const rows = chosen.flatMap((trip) =>
    group.ways.flatMap((way) => {
      const own = still.filter(({ point }) => point.way === way && point.roundTripMs === trip);
      if (own.length === 0) return [];
      return [
        { name: `${labelOf(way)}, ${String(trip)} ms`, parts: partsOf(own), total: spreadOf(own.map(totalSeconds)) },
      ];
    }),
  );
  const used = kinds.flatMap((name, index) =>
    rows.some(({ parts }) => (parts[index] ?? 0) > 0.005) ? [{ name, look: index, index }] : [],
  );
  const title = `Time by phase, ${group.words.split(' · ')[0] ?? ''}`;
  const told = `Everything is timed; medians of each phase, one after the other · ${group.words}${losses > 0 ? ` · ${String(losses)} % lost` : ''}`;
  return [
    {
      file: `${group.slug}-phases.svg`,
      title,
      caption:
        'Of “Sealift sealed” the copy is encryption, sending, decryption and writing at once; of “Sealift staged” encryption, copy and decryption are one phase of its receipt. “Between” is what lies between the phases: Temporal, and waiting for the answer.',
      svg: drawStack({
        title,
        told,
        x: 'seconds',
        kinds: used,
        rows: rows.map(({ name, parts }) => ({ name, parts: used.map(({ index }) => parts[index] ?? 0) })),
      }),
      table: {
        head: ['', ...used.map(({ name }) => `${name}, s`), 'in all, s'],
        rows: rows.map(({ name, parts, total }) => [
          name,
          ...used.map(({ index }) => (parts[index] ?? 0).toFixed(2)),
          spreadWords(total),
        ]),
      },
    },
  ];
}

/** Seconds of each step, and of what is between. */
function partsOf(seen: Seen[]): number[] {
  const told = steps.map(
    ({ phases }) => spreadOf(seen.map(({ crossing }) => msOf(crossing.phases, phases) / 1000)).median,
  );
  const sumOf = ({ crossing }: Seen): number => crossing.phases.reduce((sum, { ms }) => sum + ms, 0) / 1000;
  const between = spreadOf(seen.map((one) => totalSeconds(one) - sumOf(one))).median;
  return [...told, Math.max(0, between)];
}

function totalSeconds({ crossing }: Seen): number {
  return crossing.totalMs / 1000;
}

function msOf(phases: Seen['crossing']['phases'], names: readonly string[]): number {
  return phases.reduce((sum, { name, ms }) => sum + (names.includes(name) ? ms : 0), 0);
}
