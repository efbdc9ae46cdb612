import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { z } from 'zod';
import { memoryFolder } from '../../activities/folders.ts';
import type { GarbageItem, HostSummary, Sealift, VmOnHost } from '../../client/index.ts';
import { loadIdentity } from '../../deed/identity.ts';
import { SealiftError } from '../../domain/error.ts';
import { parseHostFile } from '../../domain/host-file.ts';
import type { HostFile } from '../../domain/host-file.ts';
import { hostArgument } from '../arguments.ts';
import type { Cli } from '../cli.ts';
import { formatBytes } from '../format.ts';
import { defaultHostFile, readHostFile } from '../host-file.ts';
import { plural } from '../live/words.ts';
import { parseOptions } from '../parse.ts';
import { vmLine } from '../print/vm.ts';
import { sshArguments } from '../ssh-options.ts';
import { examples } from './examples.ts';

const options = z.object({ file: z.string().default(defaultHostFile) });

export function addHostShow(host: Command, cli: Cli): void {
  host
    .command('show')
    .argument('[host]', 'ask this host for its card; without it: this machine, from its own file', hostArgument)
    .description('show a host and its identity')
    .option('--file <path>', `the host's file (default: ${defaultHostFile})`)
    .addHelpText('after', examples('sealift host show', 'sealift host show fra-1'))
    .action(async (name: string | undefined, raw: unknown) => {
      if (name === undefined) await showLocal(cli, parseOptions(options, raw).file);
      else await showRemote(cli, name);
    });
}

/** This machine's host, without any server: what the others need to trust it. */
async function showLocal(cli: Cli, path: string): Promise<void> {
  const file = parseHostFile(await readHostFile(path), path);
  const identity = (await loadIdentity(file.state)).name;
  const { name, site, dom0, landing, pool, peer, staging } = file;
  const claims = await claimsHere(path, file);
  const images = imagesHere(file);
  const told = { name, site, identity, dom0, landing, pools: pool, peers: peer, staging: staging ?? null };
  cli.answer({ ...told, claims, images }, [
    `${name} (${site})`,
    `  identity   ${identity}`,
    ...(dom0.access === 'local' ? [] : [`  dom0       ${dom0.user}@${dom0.address}:${String(dom0.port)} by SSH`]),
    `  landing    ${landing.address}:${landing.port}`,
    `  pools      ${pool.map((one) => `${one.name} ${placeOf(one)}`).join(', ')}`,
    ...peerLines(peer),
    ...fieldLines('claims', claims),
    ...(images === 0
      ? []
      : [`  memory     ${plural(images, 'image')} of guests' memory: sealift gc lists those of no use`]),
    '',
    `on the other host: sealift host trust ${name} ${identity}${staging === undefined ? '' : ` ${sshArguments(staging)}`}`,
  ]);
}

/** The claims in this host's own records, where it has any. */
async function claimsHere(path: string, { state }: HostFile): Promise<string[]> {
  if (!existsSync(join(state, 'host.db'))) return [];
  // Loaded here: it takes a second, and a host that has never run has no records.
  const { closeOnlooker, openOnlooker } = await import('../../activities/host.ts');
  const { toldClaims } = await import('../../activities/told-claims.ts');
  const host = await openOnlooker(path);
  try {
    return toldClaims(host);
  } finally {
    closeOnlooker(host);
  }
}

/** How many images of guests' memory lie here; of a dom0 beside this machine only its worker knows. */
function imagesHere(file: HostFile): number {
  if (file.dom0.access === 'ssh') return 0;
  const folder = memoryFolder(file);
  return existsSync(folder) ? readdirSync(folder).length : 0;
}

/** A field with a line for each thing; none when there is nothing. */
function fieldLines(name: string, lines: string[]): string[] {
  return lines.map((line, index) => `  ${(index === 0 ? name : '').padEnd(10)} ${line}`);
}

function placeOf(pool: HostFile['pool'][number]): string {
  if (pool.kind === 'folder') return pool.path;
  return pool.thin === undefined ? `LVM ${pool.group}` : `LVM ${pool.group}/${pool.thin}`;
}

function peerLines(peers: HostFile['peer']): string[] {
  if (peers.length === 0) return ['  trusts     nobody yet: sealift host trust NAME IDENTITY'];
  const lines = peers.map((one) => `${one.name} ${one.identity}${one.ssh === undefined ? '' : ', containers by SSH'}`);
  return fieldLines('trusts', lines);
}

async function showRemote(cli: Cli, name: string): Promise<void> {
  const sealift = await cli.connect();
  const found = (await sealift.hosts()).find((one) => one.name === name);
  if (found === undefined) throw new SealiftError('unknown-host', `no host ${name} has ever registered`);
  const { claims, vms, garbage } = found.away ? nothing : await whatIsThere(sealift, name);
  const removable = garbage.map((one) => `${one.kind} of ${one.vmName}, ${formatBytes(one.bytes)}: ${one.note}`);
  cli.answer({ ...found, claims, vms, garbage }, [
    ...cardLines(found),
    ...fieldLines('vms', vms.map(vmLine)),
    ...fieldLines('removable', removable),
    ...fieldLines('claims', claims),
    ...(found.card === null
      ? []
      : ['', 'trust an identity only when it came to you another way than through this server']),
  ]);
}

interface There {
  claims: string[];
  vms: VmOnHost[];
  garbage: GarbageItem[];
}
const nothing: There = { claims: [], vms: [], garbage: [] };

async function whatIsThere(sealift: Sealift, host: string): Promise<There> {
  const [claims, { vms }, garbage] = await Promise.all([
    sealift.claims(host),
    sealift.vms(host),
    sealift.garbage(host),
  ]);
  return { claims, vms, garbage };
}

function cardLines({ name, card, away }: HostSummary): string[] {
  if (card === null) return [`${name}: its worker is away, and what it said of itself is not known`];
  return [
    `${name} (${card.site})${away ? ': its worker is away' : ''}`,
    `  identity   ${card.identity}`,
    `  landing    ${card.landing.address}:${card.landing.port}`,
    `  xen        ${card.xenVersion}, ${formatBytes(card.freeMemoryBytes)} of memory free`,
    ...card.pools.map(
      (pool) => `  pool       ${pool.name}: ${formatBytes(pool.freeBytes)} of ${formatBytes(pool.totalBytes)} free`,
    ),
    `  staging    ${card.staging === null ? 'none (no SSH server for staged)' : `${card.staging.user}@${card.staging.address}:${card.staging.port}`}`,
    `  trusts     ${card.peers.length === 0 ? 'nobody' : card.peers.join(', ')}`,
    `  version    ${card.version}, protocol ${card.protocolVersion}`,
  ];
}
