import { drawBars } from './bar-chart.ts';
import { spreadWords } from './figure.ts';
import type { Figure } from './figure.ts';
import { labelOf } from './seen.ts';
import type { Group, Seen } from './seen.ts';
import { spreadOf } from './spread.ts';

const sides = [
  { name: 'source', look: 0 },
  { name: 'destination', look: 1 },
] as const;

interface Cost {
  slug: string;
  title: string;
  told: string;
  x: string;
  caption: string;
  kinds: readonly { name: string; look: number }[];
  values: (seen: Seen) => number[];
}

const costs: Cost[] = [
  {
    slug: 'sent',
    title: 'Bytes sent',
    told: 'Bytes that the line carried to the destination for each byte of the disk: headers of packets, encryption and what was sent again included',
    x: 'bytes on the line per byte of the disk',
    caption: 'Less than 1: zeros were left out, or it was compressed.',
    kinds: [{ name: 'sent', look: 0 }],
    values: ({ crossing }) => [crossing.wireBytes / crossing.plainBytes],
  },
  {
    slug: 'processor',
    title: 'Processor time',
    told: 'Processor seconds for each GB (10⁹ bytes) of the disk, of all programs of the way from its first phase to its last; what emulates the line is not among them',
    x: 'seconds per GB',
    caption:
      'Of Sealift it is the whole worker with every program that it starts, survey, fences and start included: that weighs much on a small disk.',
    kinds: sides,
    values: ({ crossing: { processorSeconds, plainBytes } }) =>
      sides.map(({ name }) => processorSeconds[name] / (plainBytes / 1e9)),
  },
  {
    slug: 'memory',
    title: 'Memory',
    told: 'The most that all programs of the way held resident together, looked at ten times a second; the cache of files is not in it',
    x: 'MiB',
    caption:
      'Of the ways by hand the guest on stand-in Xen, a process of some 50 MiB, is in it, as it is of Sealift’s.',
    kinds: sides,
    values: ({ crossing }) => sides.map(({ name }) => crossing.peakMib[name]),
  },
];

/** What each way takes besides time, over all round trips and losses together. */
export function costFigures(group: Group): Figure[] {
  return costs.map(({ slug, title: what, told, x, caption, kinds, values }) => {
    const title = `${what}, ${group.words.split(' · ')[0] ?? ''}`;
    const rows = group.ways.map((way) => {
      const own = group.seen.filter(({ point }) => point.way === way).map(values);
      return { name: labelOf(way), bars: kinds.map((_, side) => spreadOf(own.map((all) => all[side] ?? 0))) };
    });
    return {
      file: `${group.slug}-${slug}.svg`,
      title,
      caption,
      svg: drawBars({
        title,
        told: `${told} · all round trips of ${group.words}, medians of all of them, bars from the least to the most`,
        x,
        kinds: [...kinds],
        rows,
      }),
      table: {
        head: ['', ...kinds.map(({ name }) => `${name}, ${x}`)],
        rows: rows.map(({ name, bars }) => [name, ...bars.map((bar) => spreadWords(bar))]),
      },
    };
  });
}
