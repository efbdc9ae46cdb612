import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { createIdentity } from '../../deed/identity.ts';
import { parseHostFile } from '../../domain/host-file.ts';
import type { HostFile } from '../../domain/host-file.ts';
import { powerOff, powerOn } from '../../infra/stand-in-host.ts';
import { changeHostFile, impatient, makeWorld } from './world.ts';
import type { TestHost, TestVm, World } from './world.ts';

/** A world whose hosts know an operator, who has his key with him. */
export async function makeOperatedWorld(): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'sealift-operator-'));
  try {
    const { name: identity } = await createIdentity(folder, 'operator');
    const world = await makeWorld({ settings: { ...impatient, operator: [{ name: 'ada@example.org', identity }] } });
    await cp(folder, join(world.folder, 'sealift', 'operator'), { recursive: true });
    return world;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Kills all of a host: its worker, and power. */
export async function die(world: World, at: TestHost): Promise<void> {
  await world.killWorker(at);
  await powerOff(at.host);
}

/** Power is back, and its worker. */
export async function comeBack(world: World, at: TestHost): Promise<void> {
  await powerOn(at.host);
  await world.startWorker(at);
}

/** The state of each host's record, of those that answer. */
export async function states(world: World, vm: TestVm): Promise<string[]> {
  const { reports } = await world.sealift.deed(vm.uuid);
  return reports.map(({ host, record }) => `${host} ${String(record?.state)}`);
}

/** The hold ends as after any move. */
export async function expectReleased(world: World, vm: TestVm, host: string): Promise<void> {
  const { released } = await (await world.sealift.finish({ vm: vm.name, by: 'test' })).result();
  const garbage = (await world.sealift.garbage(host)).filter(({ vmName }) => vmName === vm.name);
  expect(garbage.map(({ id, kind }) => [released.includes(id), kind])).toEqual([[true, 'released-copy']]);
}

/** The host's state is gone; it is made anew, under an identity that the other one trusts now. */
export async function loseDatabase(world: World, at: TestHost, other: TestHost): Promise<void> {
  await world.killWorker(at);
  const file = parseHostFile(await readFile(at.host.filePath, 'utf8'), 'host.toml');
  await rm(file.state, { recursive: true });
  await rm(join(file.xen.etc, 'sealift.owner'));
  const { name: identity } = await createIdentity(file.state);
  const trusting = (own: HostFile): HostFile => ({
    ...own,
    peer: own.peer.map((peer) => (peer.name === file.name ? { ...peer, identity } : peer)),
  });
  await changeHostFile(world, other, trusting);
  await world.startWorker(at);
}
