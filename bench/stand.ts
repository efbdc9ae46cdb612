import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { connect } from '../client/index.ts';
import type { Sealift } from '../client/index.ts';
import type { Receipt } from '../domain/receipt.ts';
import { bringUp } from '../infra/embedded.ts';
import type { Embedded } from '../infra/embedded.ts';
import { addLabVm } from '../infra/lab/lab-host.ts';
import type { LabDisk } from '../infra/lab/lab-host.ts';
import type { StandInHost } from '../infra/stand-in-host.ts';
import { fillRandom } from './image.ts';

export interface Stand {
  up: Embedded;
  /** Makes a VM with one disk of that size, starts and adopts it, moves it to the other host and waits for its end. */
  move: (name: string, diskBytes: number, content?: 'holes' | 'random') => Promise<{ ms: number; receipt: Receipt }>;
}

/**
 * Runs `work` on a whole Sealift in a temporary folder, which is removed afterwards. `fromDist` starts the workers of the
 * package as it is built in dist/, not of the sources.
 */
export async function onStand<Result>(
  work: (stand: Stand) => Promise<Result>,
  { fromDist = false }: { fromDist?: boolean } = {},
): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'sealift-bench-'));
  const hosts = [
    { name: 'lon-1', site: 'london' },
    { name: 'fra-1', site: 'frankfurt' },
  ];
  const program = fromDist ? ((await import(distEmbedded)) as { bringUp: typeof bringUp }) : { bringUp };
  const up = await program.bringUp({ folder, hosts, headless: true });
  const sealift = await connect({ address: up.server.address });
  try {
    return await work({ up, move: (...what) => moveOne(up, sealift, ...what) });
  } finally {
    await sealift.close();
    await up.stop();
    await execa('chattr', ['-R', '-i', folder], { reject: false });
    await rm(folder, { recursive: true, force: true });
  }
}

const distEmbedded = new URL('../dist/infra/embedded.js', import.meta.url).href;

async function moveOne(
  up: Embedded,
  sealift: Sealift,
  name: string,
  diskBytes: number,
  content: 'holes' | 'random' = 'holes',
): ReturnType<Stand['move']> {
  const london = up.hosts[0]?.host;
  if (london === undefined) throw new Error('no host');
  await makeVm(london, sealift, { name, diskBytes, content });
  const start = performance.now();
  // The guest finds no place for its records on a disk of random bytes: it writes nothing that a probe could wait for.
  const probe = { diskWrites: content === 'holes' };
  const receipt = await (await sealift.migrate({ vm: name, from: 'lon-1', to: 'fra-1', probe })).result();
  return { ms: performance.now() - start, receipt };
}

/** Makes a VM with one disk of that size in a host's pool, starts and adopts it. */
export async function makeVm(
  host: StandInHost,
  sealift: Sealift,
  { name, diskBytes, content }: { name: string; diskBytes: number; content: 'holes' | 'random' },
): Promise<void> {
  const path = join(host.poolPath, `${name}.raw`);
  if (content === 'random') await fillRandom(path, diskBytes);
  await makeVmOf(host, sealift, name, { path, vdev: 'xvda', sizeBytes: diskBytes });
}

/** Makes a VM with a disk that is there, or is made empty, starts and adopts it. */
export async function makeVmOf(host: StandInHost, sealift: Sealift, name: string, disk: LabDisk): Promise<void> {
  const { configPath } = await addLabVm(host.lab, { name, memoryMib: 32, disks: [disk] });
  await execa('xl', ['create', configPath], { env: host.env });
  await sealift.adopt({ vm: name, host: host.name, by: 'bench' });
}
