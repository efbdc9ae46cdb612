import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { pino } from 'pino';
import { adoptVm } from '../../activities/adopt.ts';
import { fenceVm } from '../../activities/fencing.ts';
import { closeHost, openHost } from '../../activities/host.ts';
import type { Host } from '../../activities/host.ts';
import { openRun } from '../../activities/run.ts';
import type { Method } from '../../domain/names.ts';
import type { Offer, Signed } from '../../domain/statement.ts';
import { prepareHost, writeHostFile } from '../../infra/stand-in-host.ts';
import type { StandInHost } from '../../infra/stand-in-host.ts';
import { xlToolstack } from '../../xen/xl.ts';

export const vm = { vmUuid: '6f1f7d1c-6d0b-4c3e-9b62-0d3f1c1f2a10', vmName: 'web-1' };
export const disks = [{ vdev: 'xvda', sizeBytes: 2 ** 20, sectorBytes: 512 }];
export const placement = [{ vdev: 'xvda', pool: 'fast' }];

const closing: (() => Promise<void>)[] = [];
const closed = new Set<Host>();

/** Two hosts on stand-in Xen that trust each other, without Temporal: their steps are called in this process. */
export async function openHosts(): Promise<{ london: OpenHost; frankfurt: OpenHost }> {
  const folder = await mkdtemp(join(tmpdir(), 'sealift-hosts-'));
  closing.push(async () => {
    await execa('chattr', ['-R', '-i', folder], { reject: false });
    await rm(folder, { recursive: true });
  });
  const plans = [
    { name: 'lon-1', site: 'london' },
    { name: 'fra-1', site: 'frankfurt' },
  ] as const;
  const [london, frankfurt] = [await prepareHost(folder, plans[0]), await prepareHost(folder, plans[1])];
  await writeHostFile(london, plans[0], [frankfurt]);
  await writeHostFile(frankfurt, plans[1], [london]);
  return { london: await open(london), frankfurt: await open(frankfurt) };
}

export interface OpenHost {
  host: Host;
  made: StandInHost;
}

/** For afterEach: closes and removes all that was opened. */
export async function closeHosts(): Promise<void> {
  for (const close of closing.splice(0).reverse()) await close();
}

/** The host after its process has ended and started again. */
export async function reopened({ host, made }: OpenHost): Promise<OpenHost> {
  await closeHost(host);
  closed.add(host);
  return open(made);
}

/** The deed's side of opening a run at its source: no VM is there, and none is needed to land one. */
export function offers(
  source: OpenHost,
  to: OpenHost,
  migrationId: string = randomUUID(),
  method: Method = 'sealed',
): Signed<Offer> {
  const { deeds } = source.host;
  deeds.adopt({ ...vm, by: 'test' });
  const supersede = deeds.inProgress(deeds.byVm(vm.vmUuid)?.lineage ?? '')?.migrationId;
  return deeds.open({ ...vm, migrationId, to: to.host.identity.name, method, supersede });
}

/** A VM that is off, with a run to fra-1 open for it, fenced. Gives the path of its disk. */
export async function fencedVm({ host, made }: OpenHost, migrationId: string): Promise<string> {
  const path = join(made.poolPath, 'web-1.raw');
  await writeFile(path, '');
  await truncate(path, 2 ** 20);
  const config = `name = "${vm.vmName}"\nuuid = "${vm.vmUuid}"\ntype = "pvh"\nmemory = 32\ndisk = ["${path},raw,xvda,w"]\n`;
  await writeFile(join(made.lab.etcFolder, 'web-1.cfg'), config);
  await adoptVm(host, { vm: vm.vmUuid, by: 'test', elsewhere: [], notAsked: [], withoutAsking: [] });
  await openRun(host, { input: { migrationId, method: 'sealed', ...vm }, to: 'fra-1' });
  await fenceVm(host, migrationId);
  return path;
}

async function open(made: StandInHost): Promise<OpenHost> {
  const opened = await openHost(made.filePath, pino({ level: 'silent' }));
  const toolstack = xlToolstack({ command: made.lab.xl, env: made.lab.env, limitMs: 30_000 });
  const host = { ...opened, toolstack };
  closing.push(() => (closed.has(host) ? Promise.resolve() : closeHost(host)));
  return { host, made };
}
