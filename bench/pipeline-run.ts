import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { execa } from 'execa';
import { z } from 'zod';
import { hostProcess } from '../workers/host-process.ts';

/** Milliseconds of a clock that all processes share. */
const marks = z.object({
  begin: z.number(),
  /** The sender's first stream, its first acknowledged chunk, and its last one. */
  stream: z.number().optional(),
  first: z.number().optional(),
  last: z.number().optional(),
  end: z.number(),
});
export type Marks = z.infer<typeof marks>;
const usage = z.object({ marks, cpuMs: z.number(), peakBytes: z.number() });
type Usage = z.infer<typeof usage>;

/** Where an end of the pipeline runs. */
interface End {
  /** The words by which a program runs there. */
  within: (program: string, ...args: string[]) => [program: string, args: string[]];
  address: string;
}

interface Ask {
  source: string;
  landed: string;
  sizeBytes: number;
  /** Null: as many as the sender thinks fit. */
  streams: number | null;
  /** As a survey has found it; default: 0. */
  roundTripMs?: number;
  /** Default: all streams are there before it begins. */
  warm?: boolean;
  /** Default: both on this machine's loopback. */
  ends?: { sender: End; landing: End };
  /** Of the checkout whose code runs; default: this one. */
  root?: string;
}

const here: End = { within: (program, ...args) => [program, args], address: '127.0.0.1' };

/** Runs both ends of our own pipeline, a process each, from `source` into `landed`. The landing ends with the last chunk read back. */
export async function runPipeline(mode: 'sealed' | 'plain', ask: Ask): Promise<{ sent: Usage; got: Usage }> {
  const {
    source,
    landed,
    sizeBytes,
    streams,
    roundTripMs = 0,
    warm = true,
    ends = { sender: here, landing: here },
  } = ask;
  const { address } = ends.landing;
  const common = { mode, sizeBytes, streams, roundTripMs, warm, address, keyHex: randomBytes(32).toString('hex') };
  const program = join(ask.root ?? join(import.meta.dirname, '..'), 'bench/pipeline-side.ts');
  const landing = side(ends.landing, program, {
    ...common,
    side: 'landing',
    disk: landed,
    database: `${landed}.landing.db`,
    port: 0,
  });
  const lines = landing.stdout[Symbol.asyncIterator]();
  const { port } = z.object({ port: z.int() }).parse(JSON.parse(String((await lines.next()).value)));
  const sender = await side(ends.sender, program, {
    ...common,
    side: 'sender',
    disk: source,
    database: `${landed}.source.db`,
    port,
  });
  const sent = usage.parse(JSON.parse(sender.stdout));
  landing.stdin.write('\n');
  const got = usage.parse(JSON.parse(String((await lines.next()).value)));
  await landing;
  return { sent, got };
}

function side({ within }: End, program: string, order: Record<string, unknown>) {
  // As a host worker is started.
  const { flags, env } = hostProcess;
  const [first, words] = within(process.execPath, ...flags, program, JSON.stringify(order));
  return execa(first, words, { stdin: 'pipe', stderr: 'inherit', env });
}
