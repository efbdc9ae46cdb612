// How much of a long line a whole move takes, and what it costs, between two hosts on stand-in Xen at the two ends of an emulated one (docs/wan-lab.md): one disk of
// random bytes, the rounds interleaved. Needs root.
//   node bench/wan.ts [--gib 1] [--rate 1000] [--rtt 0,100,200] [--loss 0] [--congestion cubic] [--repeats 3]
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { connect } from '../client/index.ts';
import { checkLink } from '../infra/lab/wan/check.ts';
import { bringUpWanLab, payloadShare } from '../infra/lab/wan/lab.ts';
import { startSealiftOnWan } from '../infra/lab/wan/sealift-on-wan.ts';
import { peakMib } from './peak.ts';
import { spread } from './spread.ts';
import { makeVm } from './stand.ts';

const { values } = parseArgs({
  options: {
    gib: { type: 'string', default: '1' },
    rate: { type: 'string', default: '1000' },
    rtt: { type: 'string', default: '0,100,200' },
    loss: { type: 'string', default: '0' },
    congestion: { type: 'string' },
    repeats: { type: 'string', default: '3' },
  },
});
const [rateMbps, lossPercent] = [Number(values.rate), Number(values.loss)];
const trips = values.rtt.split(',').map(Number);
const sizeBytes = Number(values.gib) * 1024 ** 3;

interface Seen {
  moveMs: number;
  wholeMs: number;
  share: number;
  secondsPerGb: [number, number];
}

const folder = await mkdtemp(join(tmpdir(), 'sealift-wan-'));
const lab = await bringUpWanLab();
const up = await startSealiftOnWan(lab, folder);
const sealift = await connect({ address: up.server.address });
const seen = new Map<number, Seen[]>(trips.map((trip) => [trip, []]));
try {
  for (let repeat = 0; repeat < Number(values.repeats); repeat += 1)
    for (const roundTripMs of trips) {
      const link = { roundTripMs, rateMbps, lossPercent };
      await lab.setLink(link);
      if (repeat === 0) {
        const { roundTripMs: ms, eightStreamsMbps } = await checkLink(lab, link);
        process.stdout.write(`line: ${ms.toFixed(1)} ms, ${eightStreamsMbps.toFixed(0)} Mbit/s\n`);
      }
      await lab.setCongestion(values.congestion ?? null);
      const found = await moveOne(`disk-${String(roundTripMs)}-${String(repeat)}`);
      seen.get(roundTripMs)?.push(found);
      process.stdout.write(
        `round trip ${String(roundTripMs)} ms: move ${(found.moveMs / 1000).toFixed(2)} s, ${(100 * found.share).toFixed(1)} % of the line; ` +
          `processor ${found.secondsPerGb.map((one) => one.toFixed(2)).join(' / ')} s per GB; in all ${(found.wholeMs / 1000).toFixed(1)} s\n`,
      );
    }
  for (const [trip, all] of seen) {
    const [moves, wholes] = [all.map(({ moveMs }) => moveMs), all.map(({ wholeMs }) => wholeMs)];
    process.stdout.write(`${String(trip)} ms: move ${spread(moves)}, in all ${spread(wholes)}\n`);
  }
  const peaks = await Promise.all(up.hosts.map(({ worker }) => peakMib(worker.pid)));
  process.stdout.write(`most memory, source and destination: ${peaks.map((mib) => mib.toFixed(0)).join(' / ')} MiB\n`);
} finally {
  await sealift.close();
  await up.stop();
  await lab.down();
  await rm(folder, { recursive: true, force: true });
}

/** Of the line: by what the disk's bytes alone take of it at its rate, headers of packets included. */
async function moveOne(name: string): Promise<Seen> {
  const [london, frankfurt] = up.hosts;
  if (london === undefined || frankfurt === undefined) throw new Error('there are no two hosts');
  await makeVm(london.host, sealift, { name, diskBytes: sizeBytes, content: 'random' });
  const pids = [london.worker.pid, frankfurt.worker.pid];
  const before = await Promise.all(pids.map(processorSeconds));
  const began = performance.now();
  const move = await sealift.migrate({ vm: name, from: 'lon-1', to: 'fra-1', probe: { diskWrites: false } });
  const { body } = await move.result();
  const wholeMs = performance.now() - began;
  const after = await Promise.all(pids.map(processorSeconds));
  const moveMs = body.phases.filter(({ phase }) => phase === 'move').reduce((sum, { ms }) => sum + ms, 0);
  await execa('xl', ['destroy', name], { env: frankfurt.host.env });
  for (const { host } of [london, frankfurt])
    for (const entry of await readdir(host.poolPath)) await rm(join(host.poolPath, entry), { recursive: true });
  const perGb = (side: 0 | 1): number => ((after[side] ?? 0) - (before[side] ?? 0)) / (sizeBytes / 1e9);
  return {
    moveMs,
    wholeMs,
    share: (sizeBytes * 8) / 1000 / moveMs / (rateMbps * payloadShare),
    secondsPerGb: [perGb(0), perGb(1)],
  };
}

async function processorSeconds(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${String(pid)}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
