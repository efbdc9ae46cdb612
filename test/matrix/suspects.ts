import { randomBytes } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { MiB, xl } from '../support/world.ts';
import type { World } from '../support/world.ts';
import { digestOf } from './judge/copies.ts';
import type { Secrets } from './judge/secrets.ts';
import type { Suspect } from './judge/suspect.ts';

/** Draws what begins all canaries of a world; keys are added as they are drawn. */
export function drawSecrets(): Secrets {
  const drawn = (): string => randomBytes(8).toString('hex');
  return { content: `canary-content-${drawn()}`, config: `canary-config-${drawn()}`, keys: [] };
}

/** Makes a VM whose disks and configuration carry canaries, adopts it unless told otherwise, and remembers what it was. */
export async function makeSuspect(
  world: World,
  secrets: Secrets,
  name: string,
  options: { diskBytes?: number[]; adopt?: boolean; start?: boolean } = {},
): Promise<Suspect> {
  const { diskBytes = [9 * MiB, MiB], adopt = true, start = true } = options;
  // Made while it is off: a guest must not be written under.
  const vm = await world.makeVm(name, {
    diskBytes,
    noise: true,
    start: false,
    adopt: false,
    extraConfig: `cmdline = "records_ms=20 ${secrets.config}-${name}"`,
  });
  const [first = ''] = vm.diskPaths;
  const disk = await open(first, 'r+');
  for (let at = MiB; at < (diskBytes[0] ?? 0); at += 4 * MiB) await disk.write(`${secrets.content}-${name}`, at);
  await disk.close();
  if (start) await xl(world.london, 'create', join(world.london.host.lab.etcFolder, `${name}.cfg`));
  if (adopt) await world.sealift.adopt({ vm: name, host: world.london.host.name, by: 'matrix' });
  return {
    vm,
    content: await digestOf(first),
    leftBehind: new Map(),
    givenFree: new Set(),
    readHistories: new Set(),
    ran: start,
  };
}

/** Takes a VM away from the whole world, with all its disks; the hosts' records of it stay. */
export async function removeSuspect(world: World, { vm }: Suspect): Promise<void> {
  for (const at of world.up.hosts) {
    const { etcFolder } = at.host.lab;
    await xl(at, 'destroy', vm.name);
    for (const path of [`auto/${vm.name}.cfg`, `${vm.name}.cfg`]) await rm(join(etcFolder, path), { force: true });
    await execa('find', [at.host.poolPath, '-name', `${vm.name}[-.]*`, '-exec', 'chattr', '-R', '-i', '{}', '+'], {
      reject: false,
    });
    await execa('find', [at.host.poolPath, '-depth', '-path', `*/${vm.name}[-.]*`, '-delete'], { reject: false });
  }
}
