import { beforeAll, expect } from '@jest/globals';
import type { MigrateRequest, MoveHandle } from '../../client/index.ts';
import type { XenHost } from '../../infra/lab/xen/host.ts';
import { bringUpXenLab } from '../../infra/lab/xen/lab.ts';
import type { XenLab } from '../../infra/lab/xen/lab.ts';
import { logIn, startInitiator } from '../../infra/lab/xen/lun.ts';
import { startGuest } from '../../infra/lab/xen/lab-guest.ts';
import type { LabGuest } from '../../infra/lab/xen/lab-guest.ts';
import { poolPath } from '../../infra/lab/xen/host-worker.ts';
import { startSealiftOnXen } from '../../infra/lab/xen/sealift-on-xen.ts';
import type { SealiftOnXen } from '../../infra/lab/xen/sealift-on-xen.ts';
import { until } from '../../infra/lab/xen/until.ts';
import { testCache } from '../support/cache.ts';
import { able } from './able.ts';
import { atEnd } from './at-end.ts';

/** How long a move may take on emulated hosts, in milliseconds. */
export const moveLimitMs = 600_000;

/**
 * Declares tests of moves between two real Xen hosts, with Sealift on them, that are there when the first test begins. `beside`: the
 * hosts whose worker is not in their dom0.
 */
export function onXen(
  name: string,
  tests: (xen: TwoHosts) => void,
  { beside = [], asRoot = false }: { beside?: string[]; asRoot?: boolean } = {},
): void {
  able(name, () => {
    const xen = new TwoHosts();
    beforeAll(async () => {
      xen.lab = await bringUpXenLab();
      atEnd(() => xen.lab.down());
      xen.on = await startSealiftOnXen(xen.lab, { cacheFolder: testCache, beside, asRoot });
      atEnd(() => xen.on.close());
    }, 900_000);
    tests(xen);
  });
}

/** Guests begin on xen-1 and go to xen-2. */
export class TwoHosts {
  lab!: XenLab;
  on!: SealiftOnXen;

  get one(): XenHost {
    return this.lab.hosts[0];
  }

  get two(): XenHost {
    return this.lab.hosts[1];
  }

  /** `noiseMib`: so much behind the guest's file system that takes its time to cross. */
  async onRawFile(
    name: string,
    type: LabGuest['type'],
    { noiseMib = 0, ...how }: Pick<LabGuest, 'address' | 'rebootsInstead'> & { noiseMib?: number } = {},
  ): Promise<LabGuest> {
    const guest = { name, type, disk: `${poolPath}/${name}.raw`, ...how };
    await this.one.run(['truncate', '--size', '16M', guest.disk]);
    const noise = ['if=/dev/urandom', `of=${guest.disk}`, 'bs=1M', 'seek=16', `count=${String(noiseMib)}`];
    await this.one.run(['dd', ...noise, 'status=none']);
    await this.#adopted(guest);
    return guest;
  }

  async onVolume(name: string, type: LabGuest['type']): Promise<LabGuest> {
    const guest = { name, type, disk: `/dev/lab/${name}` };
    await this.one.run(['lvcreate', '--quiet', '--yes', '--size', '16M', '--name', name, 'lab']);
    await this.#adopted(guest);
    return guest;
  }

  /** A guest on the target's disk, which its host's administrator has logged in to. */
  async onLun(name: string, type: LabGuest['type']): Promise<LabGuest> {
    for (const host of this.lab.hosts) await startInitiator(host);
    const guest = { name, type, disk: await logIn(this.one, this.lab.target) };
    await this.#adopted(guest);
    return guest;
  }

  /** Moves it to xen-2, where its probes pass. */
  moved(vm: string, how: Partial<MigrateRequest> = {}): Promise<void> {
    return this.#moved(vm, how, this.one, this.two);
  }

  /** The same from xen-2 to xen-1. */
  movedBack(vm: string, how: Partial<MigrateRequest> = {}): Promise<void> {
    return this.#moved(vm, how, this.two, this.one);
  }

  async runsOnlyOn(host: XenHost, vm: string): Promise<void> {
    for (const each of this.lab.hosts)
      expect((await each.run(['xl', 'list'])).split('\n').some((line) => line.startsWith(`${vm} `))).toBe(
        each === host,
      );
  }

  /** Tries to start the copy that was left on xen-1, as somebody could who knows nothing of the fence. */
  async copyStarts(guest: LabGuest): Promise<string[]> {
    const other = `/root/not-${guest.name}.cfg`;
    await this.one.writeFile(other, strangerOn(guest));
    const started: string[] = [];
    for (const path of [`/etc/xen/${guest.name}.cfg`, other])
      if ((await this.one.exec(['xl', 'create', '-q', path])).exitCode === 0) started.push(path);
    return started;
  }

  async #moved(vm: string, how: Partial<MigrateRequest>, from: XenHost, to: XenHost): Promise<void> {
    const move = await this.on.sealift.migrate({ vm, from: from.name, to: to.name, ...how });
    const { body } = await move.result();
    expect(body).toMatchObject({ vmName: vm, destination: { name: to.name } });
    expect(body.probe.filter(({ passed }) => !passed)).toEqual([]);
    await this.runsOnlyOn(to, vm);
  }

  async #adopted(guest: LabGuest): Promise<void> {
    await this.one.run(['mkfs.ext4', '-q', guest.disk, '16M']);
    await startGuest(this.one, guest);
    await this.on.sealift.adopt({ vm: guest.name, host: 'xen-1', by: 'test' });
  }
}

/** Waits until the source of a move has given its deed away. */
export async function pastCede(move: MoveHandle): Promise<void> {
  await until(moveLimitMs, 'the move is past its cede', async () =>
    ['start', 'probe', 'done'].includes((await move.status()).phase) ? true : null,
  );
}

/** A configuration of another name and another uuid, with the guest's disk. */
export function strangerOn({ name, disk }: LabGuest): string {
  return [
    `name = "not-${name}"`,
    'type = "pvh"',
    'kernel = "/opt/lab/vmlinux"',
    'ramdisk = "/opt/lab/guest-initramfs"',
    'extra = "console=hvc0"',
    'memory = 96',
    `disk = [ "${disk},raw,xvda,w" ]`,
    '',
  ].join('\n');
}
