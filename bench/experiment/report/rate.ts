import type { Figure } from './figure.ts';
import { drawLines } from './line-chart.ts';
import { labelOf, lookOf } from './seen.ts';
import type { Group, Seen } from './seen.ts';
import { spreadOf } from './spread.ts';

const leastStretchMs = 350;
const mostStretches = 80;

/** What the line carried from moment to moment, on the longest round trip, of each way's first repeat. */
export function rateFigures(group: Group): Figure[] {
  const most = (of: (seen: Seen) => number): number => Math.max(...group.seen.map(of));
  const [trip, loss] = [most(({ point }) => point.roundTripMs), most(({ point }) => point.lossPercent)];
  const chosen = group.ways.flatMap((way) => {
    const own = group.seen.filter(
      ({ point }) => point.way === way && point.roundTripMs === trip && point.lossPercent === loss,
    );
    const [first] = own.sort((one, other) => one.point.repeat - other.point.repeat);
    return first === undefined ? [] : [{ way, rates: ratesOf(first.crossing.carried) }];
  });
  if (chosen.length === 0) return [];
  const title = `Rate over time, ${group.words.split(' · ')[0] ?? ''}`;
  const lost = loss > 0 ? `, ${String(loss)} % lost` : '';
  return [
    {
      file: `${group.slug}-rate.svg`,
      title,
      caption:
        'Where a curve is flat at the top, the line is full. Zero before it: shutdown, encryption, survey; behind it: decryption, read-back, start.',
      svg: drawLines({
        title,
        told: `What the line carried to the destination, headers and repeats included, since the order · round trip ${String(trip)} ms${lost} · ${group.words} · one crossing each`,
        x: 'seconds since the order',
        y: 'Mbit/s',
        series: chosen.map(({ way, rates }) => ({
          name: labelOf(way),
          look: lookOf(way),
          plain: true,
          points: rates.map(([x, y]) => ({ x, y: spreadOf([y]) })),
        })),
      }),
      table: {
        head: ['way', 'crossed in, s', 'most, Mbit/s'],
        rows: chosen.map(({ way, rates }) => [
          labelOf(way),
          (rates.at(-1)?.[0] ?? 0).toFixed(1),
          Math.max(...rates.map(([, y]) => y)).toFixed(1),
        ]),
      },
    },
  ];
}

/** Seconds and Mbit/s, over stretches that a figure can show. */
function ratesOf(carried: Seen['crossing']['carried']): [number, number][] {
  const rates: [number, number][] = [[0, 0]];
  const stretchMs = Math.max(leastStretchMs, (carried.at(-1)?.[0] ?? 0) / mostStretches);
  let [fromMs, fromBytes] = carried[0] ?? [0, 0];
  for (const [atMs, bytes] of carried) {
    if (atMs - fromMs < stretchMs) continue;
    rates.push([(fromMs + atMs) / 2000, ((bytes - fromBytes) * 8) / 1000 / (atMs - fromMs)]);
    [fromMs, fromBytes] = [atMs, bytes];
  }
  return rates;
}
