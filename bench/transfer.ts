// Where the time of a transfer goes on a long line: both ends of the data plane alone, without Temporal and the steps around them, at the two ends of an emulated line
// (docs/wan-lab.md). One disk of random bytes; rounds are interleaved, with those of another checkout beside them where one is named. Needs root.
//   node bench/transfer.ts [--mib 1024] [--rate 1000] [--rtt 0,200] [--loss 0] [--congestion cubic] [--streams N] [--repeats 1] [--against FOLDER] [--timeline]
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { bringUpWanLab, payloadShare } from '../infra/lab/wan/lab.ts';
import { fillRandom } from './image.ts';
import { watchLine } from './line-watch.ts';
import { runPipeline } from './pipeline-run.ts';

const { values } = parseArgs({
  options: {
    mib: { type: 'string', default: '1024' },
    rate: { type: 'string', default: '1000' },
    rtt: { type: 'string', default: '0,200' },
    loss: { type: 'string', default: '0' },
    congestion: { type: 'string' },
    streams: { type: 'string' },
    repeats: { type: 'string', default: '1' },
    against: { type: 'string' },
    timeline: { type: 'boolean', default: false },
  },
});
const sizeBytes = Number(values.mib) * 1024 ** 2;
const rateMbps = Number(values.rate);
const goodputMbps = rateMbps * payloadShare;
const checkouts = [
  ...(values.against === undefined ? [] : [{ name: 'against', root: values.against }]),
  { name: 'this', root: join(import.meta.dirname, '..') },
];

const folder = await mkdtemp(join(tmpdir(), 'sealift-transfer-'));
const lab = await bringUpWanLab();
const [from, to] = lab.sites;
try {
  const source = join(folder, 'source');
  await fillRandom(source, sizeBytes);
  await lab.setCongestion(values.congestion ?? null);
  say(
    '| round trip | checkout | whole ms | share | stream | first ack | full rate | last byte | last ack | stored | read back | s per GB | MB |',
  );
  say(`|${' --- |'.repeat(13)}`);
  for (let repeat = 0; repeat < Number(values.repeats); repeat += 1)
    for (const roundTripMs of values.rtt.split(',').map(Number)) {
      await lab.setLink({ roundTripMs, rateMbps, lossPercent: Number(values.loss) });
      for (const { name, root } of checkouts) await transferOnce(name, root, source, roundTripMs);
    }
} finally {
  await lab.down();
  await rm(folder, { recursive: true, force: true });
}

/** Figures are milliseconds since the sender was told to begin. */
async function transferOnce(name: string, root: string, source: string, roundTripMs: number): Promise<void> {
  const landed = join(folder, 'landed');
  const file = await open(landed, 'wx', 0o600);
  await file.truncate(sizeBytes);
  await file.close();
  const line = watchLine(lab);
  const streams = values.streams === undefined ? null : Number(values.streams);
  const { sent, got } = await runPipeline('sealed', {
    source,
    landed,
    sizeBytes,
    streams,
    roundTripMs,
    warm: false,
    ends: { sender: from, landing: to },
    root,
  });
  const { begin, stream = NaN, first = NaN, last = NaN, end } = sent.marks;
  const { fullRateAt, lastByteAt, rates } = await line.stop(rateMbps * 0.9);
  const since = (at: number): string => (at - begin).toFixed(0);
  const readBackMs = got.marks.end - got.marks.begin;
  const share = (sizeBytes * 8) / 1000 / (end - begin) / goodputMbps;
  const perGb = [sent, got].map(({ cpuMs }) => (cpuMs / 1000 / (sizeBytes / 1e9)).toFixed(2)).join(' / ');
  const peaks = [sent, got].map(({ peakBytes }) => (peakBytes / 1e6).toFixed(0)).join(' / ');
  const cells = [
    `${String(roundTripMs)} ms`,
    name,
    since(end),
    `${(100 * share).toFixed(1)} %`,
    ...[stream, first, fullRateAt, lastByteAt, last, end].map(since),
    readBackMs.toFixed(0),
    perGb,
    peaks,
  ];
  say(`| ${cells.join(' | ')} |`);
  if (values.timeline)
    for (const { at, mbps } of rates)
      if (at > begin) say(`${since(at).padStart(7)} ms ${mbps.toFixed(0).padStart(6)} Mbit/s`);
  for (const path of [landed, `${landed}.landing.db`, `${landed}.source.db`]) await rm(path, { force: true });
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
