// How long moves of the lab's guest take between two hosts of real Xen, emulated on this machine, workers in their dom0s, by phase. Needs
// what the laboratory needs (docs/xen-lab.md).
//   node bench/xen.ts [--repeats 3]
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { MigrateRequest } from '../client/index.ts';
import type { ReceiptBody } from '../domain/receipt.ts';
import { poolPath } from '../infra/lab/xen/host-worker.ts';
import { bringUpXenLab, takeDownXenLab } from '../infra/lab/xen/lab.ts';
import type { XenLab } from '../infra/lab/xen/lab.ts';
import { startGuest } from '../infra/lab/xen/lab-guest.ts';
import type { LabGuest } from '../infra/lab/xen/lab-guest.ts';
import { freeLun, logIn, startInitiator } from '../infra/lab/xen/lun.ts';
import { startSealiftOnXen } from '../infra/lab/xen/sealift-on-xen.ts';
import { spread } from './spread.ts';

interface Way {
  what: string;
  type: LabGuest['type'];
  /** Makes a disk of 16 MiB, and gives its path. */
  disk: (lab: XenLab, name: string) => Promise<string>;
  how: Partial<MigrateRequest>;
}

const ways: Way[] = [
  { what: 'sealed, file', type: 'pvh', disk: rawFile, how: {} },
  { what: 'sealed, with memory, file', type: 'pvh', disk: rawFile, how: { keepMemory: true } },
  { what: 'staged, volume', type: 'pv', disk: volume, how: { method: 'staged', pool: 'volumes' } },
  { what: 'sealed, LUN of both', type: 'pvh', disk: lun, how: {} },
];

const { values } = parseArgs({ options: { repeats: { type: 'string', default: '3' } } });
const lab = await bringUpXenLab();
const on = await startSealiftOnXen(lab, { cacheFolder: join(import.meta.dirname, '../.sealift/cache') });
try {
  for (const way of ways) {
    const seen: ReceiptBody[] = [];
    for (let repeat = 1; repeat <= Number(values.repeats); repeat += 1) seen.push(await moveOnce(way, repeat));
    process.stdout.write(`${way.what}, ${way.type}: ${figures(seen)}\n`);
  }
} finally {
  await on.close();
  lab.leave();
  await takeDownXenLab();
}

async function moveOnce({ what, type, disk, how }: Way, repeat: number): Promise<ReceiptBody> {
  const name = `${what.replaceAll(/[^a-z]/g, '')}-${String(repeat)}`;
  const [one, two] = lab.hosts;
  const guest: LabGuest = { name, type, disk: await disk(lab, name) };
  await one.run(['mkfs.ext4', '-q', '-F', guest.disk, '16M']);
  await startGuest(one, guest);
  await on.sealift.adopt({ vm: name, host: one.name, by: 'bench' });
  const { body } = await (await on.sealift.migrate({ vm: name, from: one.name, to: two.name, ...how })).result();
  await two.run(['xl', 'destroy', name]);
  // Else its host would see to it that it keeps its LUN.
  await two.run(['rm', `/etc/xen/${name}.cfg`]);
  return body;
}

/** Median of each phase, of the time that the VM was down, and of all together. */
function figures(seen: ReceiptBody[]): string {
  const phases = seen[0]?.phases.map(({ phase }) => phase) ?? [];
  const ms = (phase: string): number[] => seen.map((body) => body.phases.find((one) => one.phase === phase)?.ms ?? 0);
  const whole = seen.map((body) => body.phases.reduce((sum, one) => sum + one.ms, 0));
  return [
    ...phases.map((phase) => `${phase} ${spread(ms(phase))}`),
    `down ${spread(seen.map(({ downMs }) => downMs ?? 0))}`,
    `in all ${spread(whole)}`,
  ].join(', ');
}

async function rawFile({ hosts: [one] }: XenLab, name: string): Promise<string> {
  const path = `${poolPath}/${name}.raw`;
  await one.run(['truncate', '--size', '16M', path]);
  return path;
}

async function volume({ hosts: [one] }: XenLab, name: string): Promise<string> {
  await one.run(['lvcreate', '--quiet', '--yes', '--size', '16M', '--name', name, 'lab']);
  return `/dev/lab/${name}`;
}

/** The target has one: what was moved before it is forgotten. */
async function lun({ hosts, target }: XenLab): Promise<string> {
  const [one] = hosts;
  for (const host of hosts) await startInitiator(host);
  const there = (await one.exec(['test', '-b', '/dev/sda'])).exitCode === 0;
  const device = there ? '/dev/sda' : await logIn(one, target);
  await freeLun(one, device);
  return device;
}
