import type { Read } from '../results.ts';
import { lineWords } from '../plan.ts';
import type { Figure } from './figure.ts';
import { published } from './published.ts';
import { entriesOf, failuresOf, labelOf, missingOf } from './seen.ts';
import { spreadOf } from './spread.ts';
import { element, escape } from './svg.ts';
import { wayWords } from './words.ts';

/** A plan with what was seen of it. */
export interface Chapter {
  read: Read;
  figures: Figure[];
}

/** The whole report as one page, which asks nobody else for anything. */
export function page(chapters: readonly Chapter[]): string {
  const parts = chapters.flatMap(({ read, figures }) => chapter(read, figures));
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="color-scheme" content="light dark">',
    '<title>Sealift: moving VMs over long lines</title>',
    `<style>${style}</style></head>`,
    '<body><main>',
    '<h1>Moving VMs over long lines, measured</h1>',
    paragraph(
      'Each way brings the disk of one VM from one end of an emulated line to the other. The line has a rate, a round trip and losses that were checked before anything was measured on it; the ways take turns, and everything is repeated. Each figure says whether it times the bytes or everything. Every destination was compared with its source, untimed, by SHA-256: a wrong copy is a failure and in no figure.',
    ),
    paragraph(
      `What is called published is of ${published.study}. Only two statements of it are at hand, where the two ways cross and what the ratio is from ${String(published.ratio.fromMs)} ms on, and only they are drawn.`,
    ),
    navigation(chapters),
    ...parts,
    '</main></body></html>',
    '',
  ].join('\n');
}

function navigation(chapters: readonly Chapter[]): string {
  const links = chapters.map(({ read: { plan } }) => `<a href="#${plan.name}">${escape(plan.name)}</a>`);
  return chapters.length < 2 ? '' : `<nav>${links.join(' · ')}</nav>`;
}

function chapter(read: Read, figures: readonly Figure[]): string[] {
  const { plan } = read;
  const failures = failuresOf(read);
  return [
    `<h2 id="${plan.name}">${escape(plan.name)}: ${escape(plan.title)}</h2>`,
    ...conditions(read),
    '<dl>',
    ...plan.ways.map((way) => `<dt>${escape(labelOf(way))}</dt><dd>${escape(wayWords[way].what)}</dd>`),
    '</dl>',
    ...missingOf(read).map(({ way, lacks }) =>
      element(
        'p',
        { class: 'lack' },
        `<b>Missing: ${escape(labelOf(way))}</b> was not measured: ${escape(lacks.join('; '))}.`,
      ),
    ),
    ...(failures.length === 0
      ? []
      : [
          details(
            `${String(failures.length)} crossings failed`,
            table(
              ['way', 'line', 'repeat', 'why'],
              failures.map(({ point, why }) => [labelOf(point.way), lineWords(point), String(point.repeat), why]),
            ),
            true,
          ),
        ]),
    ...figures.map(figurePart),
  ];
}

/** Where and when it was measured, under which load, and what the line was found to be. */
function conditions(read: Read): string[] {
  const { plan } = read;
  const machines = new Set(
    entriesOf(read, 'session').map(
      ({ machine: { processor, processors, memoryMib, kernel, system, node } }) =>
        `${String(processors)} × ${processor}, ${(memoryMib / 1024).toFixed(0)} GiB, ${system}, kernel ${kernel}, Node ${node}`,
    ),
  );
  if (machines.size === 0) return [paragraph('Nothing was measured yet.')];
  const times = read.entries.map(({ at }) => at);
  const crossed = entriesOf(read, 'crossed');
  const loads = crossed.map(({ load }) => load);
  const looks = entriesOf(read, 'line');
  const good = looks.filter(({ wrong }) => wrong.length === 0);
  const load = loads.length === 0 ? null : spreadOf(loads);
  const words = [
    `Measured ${[...new Set([times[0], times.at(-1)])].map((at) => at?.slice(0, 16).replace('T', ' ') ?? '').join(' to ')} UTC on ${[...machines].join('; and on ')}.`,
    load === null
      ? ''
      : `Both ends, the line and whatever else runs share this machine; its load was ${load.median.toFixed(1)} (${load.least.toFixed(1)}–${load.most.toFixed(1)}).`,
    `Both sides send by ${plan.congestion ?? 'the algorithm that the kernel chooses'}; ${plan.repeats === 1 ? 'measured once' : `${String(plan.repeats)} repeats`}; ${String(crossed.length)} crossings.`,
    `The line was looked at ${String(looks.length)} times and was as asked ${String(good.length)} times; only then it was used.`,
  ];
  const rows = looks.map(({ rateMbps, roundTripMs, lossPercent, found, wrong }) => [
    lineWords({ rateMbps, roundTripMs, lossPercent, outage: null }),
    found.roundTripMs.toFixed(1),
    found.oneStreamMbps.toFixed(1),
    found.eightStreamsMbps.toFixed(1),
    found.lossPercent.toFixed(3),
    wrong.length === 0 ? 'as asked' : wrong.join('; '),
  ]);
  const head = ['asked', 'round trip, ms', 'one stream, Mbit/s', 'eight streams, Mbit/s', 'lost, %', ''];
  return [paragraph(words.filter(Boolean).join(' ')), details('Every look at the line', table(head, rows))];
}

function figurePart({ file, title, caption, svg, table: values }: Figure): string {
  return [
    `<figure id="${escape(file.replace(/\.svg$/, ''))}">`,
    svg,
    `<figcaption>${escape(caption)} <a href="${escape(file)}">as a file</a></figcaption>`,
    details(`Values: ${title}`, table(values.head, values.rows)),
    '</figure>',
  ].join('\n');
}

function paragraph(words: string): string {
  return `<p>${escape(words)}</p>`;
}

function details(summary: string, inside: string, open = false): string {
  return `<details${open ? ' open' : ''}><summary>${escape(summary)}</summary>${inside}</details>`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[], kind: 'th' | 'td'): string =>
    `<tr>${cells.map((cell) => `<${kind}>${escape(cell)}</${kind}>`).join('')}</tr>`;
  return `<div class="wide"><table>${row(head, 'th')}${rows.map((one) => row(one, 'td')).join('')}</table></div>`;
}

const style = `
:root{color-scheme:light dark}
body{margin:0;font:16px/1.5 system-ui,"DejaVu Sans",Verdana,sans-serif;background:#fff;color:#1c1c1c}
main{max-width:800px;margin:0 auto;padding:24px 20px 80px}
h1{font-size:28px;line-height:1.2}h2{margin-top:64px;padding-top:16px;border-top:1px solid #d0d0d0;font-size:22px}
figure{margin:36px 0}figure svg{max-width:100%;height:auto;display:block;border:1px solid #e3e3e3;border-radius:6px}
figcaption{margin:8px 0;color:#5c5c5c;font-size:14px}
dt{font-weight:600;margin-top:6px}dd{margin:0 0 0 20px;color:#444;font-size:15px}
details{font-size:14px}summary{cursor:pointer;color:#0072b2}.wide{overflow-x:auto}
table{border-collapse:collapse;margin:8px 0;font-variant-numeric:tabular-nums}th,td{padding:3px 12px 3px 0;text-align:left;border-bottom:1px solid #e3e3e3;vertical-align:top}
.lack{padding:8px 12px;border-left:4px solid #d55e00;background:#fbf1ea}a{color:#0072b2}
@media (prefers-color-scheme:dark){body{background:#17191d;color:#eee}h2{border-color:#444}figure svg{border-color:#34373d}figcaption,dd{color:#b0b0b0}summary,a{color:#4db3ee}th,td{border-color:#34373d}.lack{background:#33251c}}
`;
