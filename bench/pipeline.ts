// What sealing costs: the whole pipeline (read, seal, send, verify, write, sync, journal, read back) against the same one
// without sealing and digests. Both ends are processes of this machine; repeats are interleaved.
//   node bench/pipeline.ts [--mib 1024] [--repeats 3] [--streams 2] [--folder FOLDER] [--json]
import { randomBytes } from 'node:crypto';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { z } from 'zod';
import { fillRandom } from './image.ts';

const modes = ['sealed', 'plain'] as const;
type Mode = (typeof modes)[number];

const usage = z.object({ ms: z.number(), cpuMs: z.number(), peakBytes: z.number() });

interface Result {
  mode: Mode;
  mbPerSecond: number;
  senderCpuSecondsPerGb: number;
  landingCpuSecondsPerGb: number;
  senderPeakMb: number;
  landingPeakMb: number;
}

const { values } = parseArgs({
  options: {
    mib: { type: 'string', default: '1024' },
    repeats: { type: 'string', default: '3' },
    streams: { type: 'string', default: '2' },
    folder: { type: 'string', default: tmpdir() },
    json: { type: 'boolean', default: false },
  },
});
const sizeBytes = Number(values.mib) * 1024 * 1024;
const folder = await mkdtemp(join(values.folder, 'sealift-bench-'));
try {
  const source = join(folder, 'source');
  await fillRandom(source, sizeBytes);
  const results: Result[] = [];
  // One round to warm up, which does not count.
  for (let repeat = 0; repeat <= Number(values.repeats); repeat += 1) {
    for (const mode of modes) {
      const result = await measure(mode, source, join(folder, `${mode}-${String(repeat)}`));
      if (repeat > 0) results.push(result);
    }
  }
  print(results);
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function measure(mode: Mode, source: string, name: string): Promise<Result> {
  const common = { mode, sizeBytes, streams: Number(values.streams), keyHex: randomBytes(32).toString('hex') };
  const landed = `${name}.landed`;
  await (await open(landed, 'w').then(async (file) => (await file.truncate(sizeBytes), file))).close();
  const landing = side({ ...common, side: 'landing', disk: landed, database: `${name}.landing.db`, port: 0 });
  const lines = landing.stdout[Symbol.asyncIterator]();
  const { port } = z.object({ port: z.int() }).parse(JSON.parse(String((await lines.next()).value)));
  const sender = await side({ ...common, side: 'sender', disk: source, database: `${name}.source.db`, port });
  const sent = usage.parse(JSON.parse(sender.stdout));
  landing.stdin.write('\n');
  const got = usage.parse(JSON.parse(String((await lines.next()).value)));
  await landing;
  await rm(landed);
  const gb = sizeBytes / 1e9;
  return {
    mode,
    // Until the last chunk is read back.
    mbPerSecond: sizeBytes / 1e6 / ((sent.ms + got.ms) / 1000),
    senderCpuSecondsPerGb: sent.cpuMs / 1000 / gb,
    landingCpuSecondsPerGb: got.cpuMs / 1000 / gb,
    senderPeakMb: sent.peakBytes / 1e6,
    landingPeakMb: got.peakBytes / 1e6,
  };
}

function side(order: Record<string, unknown>) {
  const program = new URL('./pipeline-side.ts', import.meta.url).pathname;
  return execa(process.execPath, [program, JSON.stringify(order)], { stdin: 'pipe', stderr: 'inherit' });
}

function print(results: readonly Result[]): void {
  const columns = [
    'mbPerSecond',
    'senderCpuSecondsPerGb',
    'landingCpuSecondsPerGb',
    'senderPeakMb',
    'landingPeakMb',
  ] as const;
  const rows = modes.map((mode) => {
    const own = results.filter((result) => result.mode === mode);
    const cells = columns.map((column) => {
      const sorted = own.map((result) => result[column]).sort((a, b) => a - b);
      return [column, { median: middle(sorted), least: sorted[0] ?? 0, most: sorted.at(-1) ?? 0 }] as const;
    });
    return { mode, ...Object.fromEntries(cells) } as { mode: Mode } & Record<(typeof columns)[number], Spread>;
  });
  const [sealed, plain] = rows;
  const share = sealed === undefined || plain === undefined ? 0 : sealed.mbPerSecond.median / plain.mbPerSecond.median;
  if (values.json) {
    console.log(
      JSON.stringify({ sizeBytes, streams: Number(values.streams), sealedAgainstPlain: share, rows, results }),
    );
    return;
  }
  console.log(
    `| what | MB/s | CPU-s per GB, sender | landing | peak MB, sender | landing |\n| --- | --- | --- | --- | --- | --- |`,
  );
  for (const row of rows) {
    const cells = columns.map((column) => shown(row[column], column.includes('Cpu') ? 2 : 0));
    console.log(`| ${row.mode} | ${cells.join(' | ')} |`);
  }
  console.log(`\nsealed against plain: ${share.toFixed(2)}`);
}

interface Spread {
  median: number;
  least: number;
  most: number;
}

function shown({ median, least, most }: Spread, digits: number): string {
  return `${median.toFixed(digits)} (${least.toFixed(digits)}–${most.toFixed(digits)})`;
}

function middle(sorted: readonly number[]): number {
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
