import { randomBytes } from 'node:crypto';
import { execa } from 'execa';
import { z } from 'zod';
import { hostProcess } from '../workers/host-process.ts';

const usage = z.object({ ms: z.number(), cpuMs: z.number(), peakBytes: z.number() });
type Usage = z.infer<typeof usage>;

/** Runs both ends of our own pipeline, a process each, from `source` into `landed`. The landing ends with the last chunk read back. */
export async function runPipeline(
  mode: 'sealed' | 'plain',
  disk: { source: string; landed: string; sizeBytes: number; streams: number },
): Promise<{ sent: Usage; got: Usage }> {
  const { source, landed, sizeBytes, streams } = disk;
  const common = { mode, sizeBytes, streams, keyHex: randomBytes(32).toString('hex') };
  const landing = side({ ...common, side: 'landing', disk: landed, database: `${landed}.landing.db`, port: 0 });
  const lines = landing.stdout[Symbol.asyncIterator]();
  const { port } = z.object({ port: z.int() }).parse(JSON.parse(String((await lines.next()).value)));
  const sender = await side({ ...common, side: 'sender', disk: source, database: `${landed}.source.db`, port });
  const sent = usage.parse(JSON.parse(sender.stdout));
  landing.stdin.write('\n');
  const got = usage.parse(JSON.parse(String((await lines.next()).value)));
  await landing;
  return { sent, got };
}

function side(order: Record<string, unknown>) {
  const program = new URL('./pipeline-side.ts', import.meta.url).pathname;
  // As a host worker is started.
  const { flags, env } = hostProcess;
  return execa(process.execPath, [...flags, program, JSON.stringify(order)], { stdin: 'pipe', stderr: 'inherit', env });
}
