// What sealing costs: the whole pipeline (read, seal, send, verify, write, sync, journal, read back) against the same one
// without sealing and digests, and against scp, rsync and qemu-img on the same image, which read nothing back. Both ends are
// processes of this machine; repeats are interleaved. What is not installed is named and left out.
//   node bench/pipeline.ts [--mib 1024] [--repeats 3] [--streams 2] [--folder FOLDER] [--no-peers] [--json]
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { fillRandom } from './image.ts';
import { startPeers } from './peers.ts';
import { runPipeline } from './pipeline-run.ts';
import type { Marks } from './pipeline-run.ts';

interface Result {
  mbPerSecond: number;
  senderCpuSecondsPerGb: number;
  receiverCpuSecondsPerGb: number;
  /** Null where nobody has measured it. */
  senderPeakMb: number | null;
  receiverPeakMb: number | null;
}
type Column = keyof Result;

interface Contender {
  name: string;
  run: (source: string, landed: string) => Promise<Result>;
}

const { values } = parseArgs({
  allowNegative: true,
  options: {
    mib: { type: 'string', default: '1024' },
    repeats: { type: 'string', default: '3' },
    streams: { type: 'string', default: '2' },
    folder: { type: 'string', default: tmpdir() },
    peers: { type: 'boolean', default: true },
    json: { type: 'boolean', default: false },
  },
});
const sizeBytes = Number(values.mib) * 1024 * 1024;
const gb = sizeBytes / 1e9;
const folder = await mkdtemp(join(values.folder, 'sealift-bench-'));
const { peers, missing } = values.peers ? await startPeers() : { peers: [], missing: [] };
try {
  const source = join(folder, 'source');
  await fillRandom(source, sizeBytes);
  const digest = await digestOf(source);
  const contenders = [ours('sealed'), ours('plain'), ...peers.map(theirs)];
  const results = new Map<string, Result[]>(contenders.map(({ name }) => [name, []]));
  // One round to warm up, which does not count, and in which every copy is looked at.
  for (let repeat = 0; repeat <= Number(values.repeats); repeat += 1) {
    for (const { name, run } of contenders) {
      const landed = join(folder, 'landed');
      await makeHoles(landed);
      const result = await run(source, landed);
      if (repeat > 0) results.get(name)?.push(result);
      else if ((await digestOf(landed)) !== digest) throw new Error(`${name} did not bring the image over`);
      await rm(landed);
      await rm(`${landed}.landing.db`, { force: true });
      await rm(`${landed}.source.db`, { force: true });
    }
  }
  print(results);
} finally {
  for (const peer of peers) await peer.stop();
  await rm(folder, { recursive: true, force: true });
}

function ours(mode: 'sealed' | 'plain'): Contender {
  return {
    name: mode,
    run: async (source, landed) => {
      const { sent, got } = await runPipeline(mode, { source, landed, sizeBytes, streams: Number(values.streams) });
      return {
        // Until the last chunk is read back.
        mbPerSecond: sizeBytes / 1e3 / (msOf(sent.marks) + msOf(got.marks)),
        senderCpuSecondsPerGb: sent.cpuMs / 1000 / gb,
        receiverCpuSecondsPerGb: got.cpuMs / 1000 / gb,
        senderPeakMb: sent.peakBytes / 1e6,
        receiverPeakMb: got.peakBytes / 1e6,
      };
    },
  };
}

function msOf({ begin, end }: Marks): number {
  return end - begin;
}

function theirs({ name, copy }: (typeof peers)[number]): Contender {
  return {
    name,
    run: async (source, landed) => {
      const { ms, senderCpuMs, receiverCpuMs } = await copy(source, landed);
      return {
        mbPerSecond: sizeBytes / 1e6 / (ms / 1000),
        senderCpuSecondsPerGb: senderCpuMs / 1000 / gb,
        receiverCpuSecondsPerGb: receiverCpuMs / 1000 / gb,
        senderPeakMb: null,
        receiverPeakMb: null,
      };
    },
  };
}

async function makeHoles(path: string): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  await file.truncate(sizeBytes);
  await file.close();
}

async function digestOf(path: string): Promise<string> {
  const sum = createHash('sha256');
  await pipeline(createReadStream(path), sum);
  return sum.digest('hex');
}

function print(results: ReadonlyMap<string, readonly Result[]>): void {
  const columns: Column[] = [
    'mbPerSecond',
    'senderCpuSecondsPerGb',
    'receiverCpuSecondsPerGb',
    'senderPeakMb',
    'receiverPeakMb',
  ];
  const rows = [...results].map(([name, own]) => ({
    name,
    spreads: columns.map((column) => spread(own.map((result) => result[column]))),
  }));
  const medians = rows.map(({ spreads: [rate] }) => rate?.median ?? 0);
  const share = (medians[0] ?? 0) / (medians[1] ?? 1);
  if (values.json) {
    console.log(JSON.stringify({ sizeBytes, streams: Number(values.streams), share, results: [...results], missing }));
    return;
  }
  console.log(
    `| what | MB/s | CPU-s per GB, sender | receiver | peak MB, sender | receiver |\n| --- | --- | --- | --- | --- | --- |`,
  );
  for (const { name, spreads } of rows) {
    const cells = spreads.map((own, at) => (own === null ? '' : shown(own, columns[at]?.includes('Cpu') ? 2 : 0)));
    console.log(`| ${name} | ${cells.join(' | ')} |`);
  }
  console.log(`\nsealed against plain: ${share.toFixed(2)}`);
  for (const reason of missing) console.log(`left out: ${reason}`);
}

interface Spread {
  median: number;
  least: number;
  most: number;
}

function spread(figures: readonly (number | null)[]): Spread | null {
  const sorted = figures.filter((figure) => figure !== null).sort((a, b) => a - b);
  const [least] = sorted;
  if (least === undefined) return null;
  return { median: sorted[Math.floor(sorted.length / 2)] ?? 0, least, most: sorted.at(-1) ?? 0 };
}

function shown({ median, least, most }: Spread, digits: number): string {
  return `${median.toFixed(digits)} (${least.toFixed(digits)}–${most.toFixed(digits)})`;
}
