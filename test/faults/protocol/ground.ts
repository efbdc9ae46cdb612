import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { createIdentity } from '../../../deed/identity.ts';
import { addLabVm } from '../../../infra/lab/lab-host.ts';
import { startObserver } from '../../../infra/lab/observer.ts';
import type { Observer } from '../../../infra/lab/observer.ts';
import { powerOff, prepareHost, writeHostFile } from '../../../infra/stand-in-host.ts';
import { Actor } from './actor.ts';

/** Of a walk's VM: two chunks. */
export const diskBytes = 5 * 1024 * 1024;
const names = ['lon-1', 'fra-1', 'ams-1'];
let made = 0;

/** Hosts that trust each other, each with a process of its own, and no Temporal. Walks follow one another on it, each with its own VM. */
export interface Ground {
  actors: Actor[];
  observer: Observer;
  /** Where the key of the operator is whom all hosts know. */
  operatorFolder: string;
  /** Makes a VM with a disk for its guest's records on the first host, and starts it. Nobody has adopted it. */
  makeVm(): Promise<{ name: string; uuid: string }>;
  close(): Promise<void>;
}

export async function makeGround(): Promise<Ground> {
  const folder = await mkdtemp(join(tmpdir(), 'sealift-walk-'));
  const observer = await startObserver(join(folder, 'observer.sock'));
  const operatorFolder = join(folder, 'operator');
  await mkdir(operatorFolder);
  const { name: identity } = await createIdentity(operatorFolder, 'operator');
  const operator = [{ name: 'ada@example.org', identity }];
  const plans = names.map((name) => ({
    name,
    site: name.slice(0, 3),
    observer: observer.path,
    settings: { operator, limits: { moves: 16, orphan_seconds: 5, stall_seconds: 3, connect_seconds: 10 } },
  }));
  const hosts = [];
  for (const plan of plans) hosts.push(await prepareHost(join(folder, 'hosts'), plan));
  for (const [index, host] of hosts.entries()) await writeHostFile(host, plans[index] ?? { name: '', site: '' }, hosts);
  const actors = hosts.map((host) => new Actor(host, folder));
  for (const actor of actors) await actor.start();
  return {
    actors,
    observer,
    operatorFolder,
    makeVm: async () => {
      const first = actors[0];
      if (first === undefined) throw new Error('no host');
      const name = `walk-${String((made += 1))}`;
      const diskPath = join(first.host.poolPath, `${name}.raw`);
      const vm = await addLabVm(first.host.lab, {
        name,
        uuid: randomUUID(),
        memoryMib: 32,
        disks: [{ path: diskPath, vdev: 'xvda', sizeBytes: diskBytes }],
        autostart: true,
      });
      await execa('xl', ['create', vm.configPath], { env: first.host.env });
      return { name, uuid: vm.uuid };
    },
    close: async () => {
      for (const actor of actors) await actor.kill();
      for (const { host } of actors) await powerOff(host);
      await observer.close();
      await execa('chattr', ['-R', '-i', folder], { reject: false });
      await rm(folder, { recursive: true, force: true });
    },
  };
}
