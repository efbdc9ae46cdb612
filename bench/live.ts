// How long a guest on a LUN takes to go over while it runs, and how long it is silent, by Sealift's `live` and by `xl migrate` over ssh, between two
// hosts of real Xen, emulated on this machine. Needs what the laboratory needs (docs/xen-lab.md), and ping (package iputils-ping).
//   node bench/live.ts [--repeats 3] [--rtt 0,50]
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import type { XenHost } from '../infra/lab/xen/host.ts';
import { bringUpXenLab, takeDownXenLab } from '../infra/lab/xen/lab.ts';
import { startGuest } from '../infra/lab/xen/lab-guest.ts';
import { freeLun, logIn, startInitiator } from '../infra/lab/xen/lun.ts';
import { startSealiftOnXen } from '../infra/lab/xen/sealift-on-xen.ts';
import { spread } from './spread.ts';

interface Seen {
  wholeMs: number;
  silentMs: number;
}

const { values } = parseArgs({
  options: { repeats: { type: 'string', default: '3' }, rtt: { type: 'string', default: '0,50' } },
});
await execa('ping', ['-V']);
const pingMs = 200;
let guests = 0;
const lab = await bringUpXenLab();
const [one, two] = lab.hosts;
const on = await startSealiftOnXen(lab, { cacheFolder: join(import.meta.dirname, '../.sealift/cache') });
try {
  for (const host of lab.hosts) await startInitiator(host);
  const disk = await logIn(one, lab.target);
  await logIn(two, lab.target);
  await letIn(one, two);
  for (const roundTripMs of values.rtt.split(',').map(Number)) {
    await lab.setLink(roundTripMs === 0 ? {} : { roundTripMs });
    const seen: Record<string, Seen[]> = { 'xl migrate over ssh': [], live: [] };
    for (let repeat = 1; repeat <= Number(values.repeats); repeat += 1) {
      seen['xl migrate over ssh']?.push(await goOver(disk, (name) => byXl(name)));
      seen.live?.push(await goOver(disk, (name) => byLive(name)));
    }
    for (const [way, all] of Object.entries(seen)) {
      const figures = `in all ${spread(all.map((one) => one.wholeMs))}, silent ${spread(all.map((one) => one.silentMs))}`;
      process.stdout.write(`round trip ${String(roundTripMs)} ms, ${way}: ${figures}\n`);
    }
  }
} finally {
  await on.close();
  lab.leave();
  await takeDownXenLab();
}

/** One guest that goes from one host to the other, while it answers pings. */
async function goOver(disk: string, move: (name: string) => Promise<void>): Promise<Seen> {
  guests += 1;
  const name = `guest-${String(guests)}`;
  await freeLun(one, disk);
  await one.run(['mkfs.ext4', '-q', '-F', disk, '16M']);
  const address = one.linkAddress.replace(/\d+$/, '101');
  await startGuest(one, { name, type: 'pvh', disk, address });
  const silence = await listen(address);
  const from = performance.now();
  await move(name);
  const wholeMs = performance.now() - from;
  const silentMs = await silence.end();
  for (const host of lab.hosts) {
    await host.exec(['xl', 'destroy', name]);
    await host.exec(['rm', '-f', `/etc/xen/${name}.cfg`]);
  }
  return { wholeMs, silentMs };
}

async function byXl(name: string): Promise<void> {
  const ssh = 'ssh -i /root/bench-key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR';
  await one.run(['xl', 'migrate', '-s', ssh, name, two.linkAddress]);
}

async function byLive(name: string): Promise<void> {
  await on.sealift.adopt({ vm: name, host: one.name, by: 'bench' });
  await (await on.sealift.migrate({ vm: name, from: one.name, to: two.name, method: 'live' })).result();
}

/** The longest time between two answers to pings, from now on until after the end one more has come. */
async function listen(address: string): Promise<{ end: () => Promise<number> }> {
  const ping = execa('ping', ['-n', '-O', '-i', String(pingMs / 1_000), address], { reject: false, buffer: false });
  let heardAt = performance.now();
  let longestMs = 0;
  let next = Promise.withResolvers<undefined>();
  createInterface({ input: ping.stdout }).on('line', (line) => {
    if (!line.includes(' bytes from ')) return;
    longestMs = Math.max(longestMs, performance.now() - heardAt);
    heardAt = performance.now();
    next.resolve(undefined);
    next = Promise.withResolvers();
  });
  await next.promise;
  longestMs = 0;
  return {
    end: async () => {
      await next.promise;
      ping.kill();
      return longestMs;
    },
  };
}

/** `xl migrate` needs root of one host to be let in at the other. */
async function letIn(from: XenHost, to: XenHost): Promise<void> {
  await from.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', '/root/bench-key']);
  const key = await from.run(['cat', '/root/bench-key.pub']);
  const known = (await to.exec(['cat', '/root/.ssh/authorized_keys'])).stdout;
  await to.run(['mkdir', '-p', '-m', '700', '/root/.ssh']);
  await to.writeFile('/root/.ssh/authorized_keys', `${known.trim()}\n${key.trim()}\n`);
}
