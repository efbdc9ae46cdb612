import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { headerBytes } from './lab.ts';
import type { Site, WanLab } from './lab.ts';

/** `.ts` among the sources, `.js` in the published package. */
const traffic = join(import.meta.dirname, `traffic${import.meta.filename.slice(-3)}`);
const pings = 21;

/** What a line is found to be, from the first site to the second. Rates are those of the payload of full packets. */
export interface FoundLink {
  /** The median of some, and the longest. */
  roundTripMs: number;
  longestMs: number;
  oneStreamMbps: number;
  eightStreamsMbps: number;
  /** Of the packets that were sent. */
  lossPercent: number;
}

/**
 * Measures it for so many seconds for one stream, and as long for eight, by cubic: bbr leaves some of a line to nobody. Nothing else may use it meanwhile.
 * The sites send by the kernel's own algorithm again then.
 */
export async function measureLink(lab: WanLab, seconds: number): Promise<FoundLink> {
  const [from, to] = lab.sites;
  const { medianMs, longestMs } = await roundTrips(from, to);
  const before = (await lab.carried())[0];
  await lab.setCongestion('cubic');
  const giveBack = await roomyBuffers(lab);
  const sink = await startSink(to);
  try {
    const rate = async (streams: number): Promise<number> => {
      // Behind slow start.
      const settleMs = Math.max(500, 15 * medianMs);
      const words = ['send', to.address, sink.port, String(streams), String(settleMs + seconds * 1000 + 5000)];
      const sending = execa(...from.within(process.execPath, traffic, ...words), { reject: false });
      await sleep(settleMs);
      const first = (await lab.carried())[0];
      await sleep(seconds * 1000);
      const last = (await lab.carried())[0];
      sending.kill('SIGKILL');
      await sending;
      // What waits in front of the line goes first.
      await sleep(3 * medianMs + 300);
      const payloadBytes = last.wireBytes - first.wireBytes - (last.packets - first.packets) * headerBytes;
      return (payloadBytes * 8) / 1000 / (last.atMs - first.atMs);
    };
    const [oneStreamMbps, eightStreamsMbps] = [await rate(1), await rate(8)];
    const after = (await lab.carried())[0];
    const lossPercent = (100 * (after.lostByLine - before.lostByLine)) / (after.packets - before.packets);
    return { roundTripMs: medianMs, longestMs, oneStreamMbps, eightStreamsMbps, lossPercent };
  } finally {
    sink.end();
    await giveBack();
    await lab.setCongestion(null);
  }
}

/** Lets each stream hold what a long line has in flight; gives how to make it as it was. */
async function roomyBuffers({ sites }: WanLab): Promise<() => Promise<void>> {
  const names = ['net.ipv4.tcp_wmem', 'net.ipv4.tcp_rmem'];
  const set = (values: string[][]): Promise<unknown> =>
    Promise.all(sites.map((site, at) => execa(...site.within('sysctl', '-q', '-w', ...(values[at] ?? [])))));
  const before = await Promise.all(
    sites.map(async (site) => {
      const { stdout } = await execa(...site.within('sysctl', '-n', ...names));
      return stdout.split('\n').map((value, at) => `${names[at] ?? ''}=${value}`);
    }),
  );
  await set(sites.map(() => names.map((name) => `${name}=4096 131072 67108864`)));
  return () => set(before).then(() => undefined);
}

async function roundTrips(from: Site, to: Site): Promise<{ medianMs: number; longestMs: number }> {
  const words = ['-n', '-c', String(pings), '-i', '0.05', '-W', '5', to.address];
  const { stdout } = await execa(...from.within('ping', ...words), { reject: false });
  const times = [...stdout.matchAll(/time=([\d.]+) ms/g)].map(([, ms]) => Number(ms)).sort((a, b) => a - b);
  return { medianMs: times[Math.floor(times.length / 2)] ?? Infinity, longestMs: times.at(-1) ?? Infinity };
}

/** What takes bytes at a site. */
async function startSink(at: Site): Promise<{ port: string; end(): void }> {
  const [program, args] = at.within(process.execPath, traffic, 'sink', at.address);
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return { port: line, end: () => child.kill('SIGKILL') };
}
