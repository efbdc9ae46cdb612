// One end of a transfer in a process of its own; bench/pipeline-run.ts starts it with one JSON argument.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { codecUrl } from '../transport/codec.ts';
import { landingTables, startLandingWith } from '../transport/landing.ts';
import { startSendingWith } from '../transport/sender.ts';
import type { SendJob } from '../transport/sender.ts';
import { openDatabase } from '../storage/database.ts';
import { Journal, journalTables } from '../storage/journal.ts';
import type { Marks } from './pipeline-run.ts';

const order = z.strictObject({
  side: z.enum(['landing', 'sender']),
  mode: z.enum(['sealed', 'plain']),
  disk: z.string(),
  database: z.string(),
  sizeBytes: z.int(),
  /** Null: as many as the sender thinks fit. */
  streams: z.int().nullable(),
  address: z.string(),
  port: z.int(),
  /** As a survey has found it. */
  roundTripMs: z.number(),
  /** Begin only when all streams are there. Threads take as long to start as some hundred megabytes do. */
  warm: z.boolean(),
  keyHex: z.string(),
});

const asked = order.parse(JSON.parse(process.argv[2] ?? ''));
const codec = asked.mode === 'sealed' ? codecUrl : new URL('./pipeline-plain-codec.ts', import.meta.url).href;
const lineage = '0'.repeat(32);
const run = `${lineage}/1`;
const key = Buffer.from(asked.keyHex, 'hex');
const keys = { key, context: key };
const log = {
  info: () => undefined,
  warn: (fields: object) => {
    console.error(JSON.stringify(fields));
  },
  error: (fields: object) => {
    console.error(JSON.stringify(fields));
  },
};
const disk = { vdev: 'xvda', path: asked.disk, sizeBytes: asked.sizeBytes, sectorBytes: 512 };
const database = openDatabase(asked.database, [journalTables, landingTables]);

if (asked.side === 'landing') await land();
else await send();
database.close();

async function land(): Promise<void> {
  const place = { run, disks: [{ ...disk, fresh: true }] };
  const journal = new Journal(database, 'landing');
  const options = { address: asked.address, port: asked.port, journal, database, log };
  const landing = await startLandingWith(
    { ...options, authorize: () => Promise.resolve({ ...place, keys, number: 1 }) },
    codec,
  );
  console.log(JSON.stringify({ port: landing.port }));
  const before = process.cpuUsage();
  await once(process.stdin, 'data');
  const from = now();
  const { missing } = await landing.readBack(place);
  if (missing.length > 0) throw new Error(`${String(missing.length)} chunks are missing`);
  report({ begin: from, end: now() }, before);
  await landing.close();
  process.stdin.destroy();
}

async function send(): Promise<void> {
  let begin = now();
  let before = process.cpuUsage();
  const identity = `ed25519:${'A'.repeat(43)}`;
  const job = startSendingWith(
    {
      session: {
        body: {
          v: 1,
          kind: 'session',
          lineage,
          token: 1,
          from: identity,
          to: identity,
          number: 1,
          recipient: `age1${'q'.repeat(58)}`,
          wrapped: randomBytes(32).toString('base64'),
        },
        signature: 'A'.repeat(86),
      },
      keys,
      landing: { address: asked.address, port: asked.port },
      disks: [disk],
      journal: new Journal(database, 'source'),
      run,
      manifest: ([digest = '']) => ({
        lineage,
        token: 1,
        vmUuid: '00000000-0000-4000-8000-000000000000',
        vmName: 'bench',
        config: '',
        autostart: false,
        disks: [{ vdev: disk.vdev, sizeBytes: disk.sizeBytes, sectorBytes: disk.sectorBytes, digest }],
      }),
      streams: asked.streams ?? undefined,
      roundTripMs: asked.roundTripMs,
      compress: asked.warm ? 'off' : 'auto',
      paused: asked.warm,
      log,
    },
    codec,
  );
  if (asked.warm) {
    while (job.progress().streams < (asked.streams ?? 1)) await sleep(10);
    job.resume();
    begin = now();
    before = process.cpuUsage();
  }
  const marks = watch(job);
  await job.done;
  report({ begin, ...marks, end: now() }, before);
}

/** When the first stream was there, the first chunk was acknowledged, and the last. */
function watch(job: SendJob): Partial<Marks> {
  const marks: Partial<Marks> = {};
  const timer = setInterval(() => {
    const { streams, disks } = job.progress();
    const verifiedBytes = disks.reduce((sum, one) => sum + one.verifiedBytes, 0);
    if (streams > 0) marks.stream ??= now();
    if (verifiedBytes > 0) marks.first ??= now();
    if (verifiedBytes < asked.sizeBytes) return;
    marks.last ??= now();
    clearInterval(timer);
  }, 5);
  return marks;
}

/** Of one clock for all processes of the machine. */
function now(): number {
  return performance.timeOrigin + performance.now();
}

function report(marks: Marks, before: NodeJS.CpuUsage): void {
  const { user, system } = process.cpuUsage(before);
  const peakBytes = process.resourceUsage().maxRSS * 1024;
  console.log(JSON.stringify({ marks, cpuMs: (user + system) / 1000, peakBytes }));
}
