// `npm run lab:wan -- [OPTIONS]`: two sites and a long line between them, until its end (docs/wan-lab.md).
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { deviations } from './check.ts';
import { bringUpWanLab } from './lab.ts';
import type { WanLab } from './lab.ts';
import type { Link } from './link.ts';
import { measureLink } from './measure.ts';
import { missingNeeds } from './needs.ts';

const usage = `usage: npm run lab:wan -- [OPTIONS]
  --round-trip-ms N    --rate-mbps N       --loss-percent N
  --jitter-ms N        --reorder-percent N --queue-bytes N      --outage
brings up two sites, lon and fra, measures the line between them, and says how to enter them. Then each line of
options on standard input makes the line anew; at its end, or by Ctrl-C, nothing is left
`;

const numbers = {
  roundTripMs: 'round-trip-ms',
  rateMbps: 'rate-mbps',
  lossPercent: 'loss-percent',
  jitterMs: 'jitter-ms',
  reorderPercent: 'reorder-percent',
  queueBytes: 'queue-bytes',
} as const;

async function main(): Promise<number> {
  const missing = missingNeeds();
  if (missing.length > 0) {
    process.stderr.write(`the lab needs ${missing.join('; ')}\n`);
    return 1;
  }
  let link: Link;
  try {
    link = linkOf(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : 'bad options'}\n${usage}`);
    return 2;
  }
  const lab = await bringUpWanLab(link);
  for (const site of lab.sites) {
    const [program, args] = site.within('COMMAND');
    say(`${site.name} at ${site.address}: ${[program, ...args].join(' ')}`);
  }
  await show(lab, link);
  for await (const line of createInterface({ input: process.stdin })) {
    try {
      link = linkOf(line.split(/\s+/).filter((word) => word !== ''));
    } catch (error) {
      say(error instanceof Error ? error.message : 'bad options');
      continue;
    }
    await lab.setLink(link);
    await show(lab, link);
  }
  await lab.down();
  return 0;
}

async function show(lab: WanLab, link: Link): Promise<void> {
  if (link.outage === true) {
    say('nothing passes');
    return;
  }
  const found = await measureLink(lab, 1);
  say(
    `round trip ${found.roundTripMs.toFixed(1)} ms (longest ${found.longestMs.toFixed(1)}), one stream ${found.oneStreamMbps.toFixed(1)} Mbit/s, ` +
      `eight ${found.eightStreamsMbps.toFixed(1)}, lost ${found.lossPercent.toFixed(3)} %`,
  );
  for (const wrong of deviations(link, found)) say(`not as asked: ${wrong}`);
}

function linkOf(args: string[]): Link {
  const string = { type: 'string' } as const;
  const options = {
    ...Object.fromEntries(Object.values(numbers).map((name) => [name, string])),
    outage: { type: 'boolean' },
  } as const;
  const { values } = parseArgs({ args, options });
  const link: Link = values.outage === true ? { outage: true } : {};
  for (const [key, option] of Object.entries(numbers)) {
    const text = (values as Record<string, unknown>)[option];
    if (typeof text !== 'string') continue;
    const value = Number(text);
    if (text === '' || !(value >= 0)) throw new Error(`--${option} ${text} is not a number from 0`);
    link[key as keyof typeof numbers] = value;
  }
  return link;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

process.exitCode = await main();
