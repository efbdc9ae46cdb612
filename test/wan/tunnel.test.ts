import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { MoveHandle } from '../../client/index.ts';
import type { HostFile } from '../../domain/host-file.ts';
import { charonMissing, startCharon } from '../../infra/lab/wan/charon.ts';
import type { Charon } from '../../infra/lab/wan/charon.ts';
import { bringUpWanLab } from '../../infra/lab/wan/lab.ts';
import type { Site, WanLab } from '../../infra/lab/wan/lab.ts';
import { missingNeeds } from '../../infra/lab/wan/needs.ts';
import { planHostsOnWan } from '../../infra/lab/wan/sealift-on-wan.ts';
import type { HostsOnWan } from '../../infra/lab/wan/sealift-on-wan.ts';
import { missingPrograms } from '../../infra/lab/missing-programs.ts';
import { innerAddresses } from '../../transport/ipsec/inner-address.ts';
import { Vici } from '../../transport/ipsec/vici.ts';
import { describeWhere } from '../support/describe-where.ts';
import { expectMoved, expectUnmoved } from '../support/expect-moved.ts';
import { troubles, until } from '../support/until.ts';
import { changeHostFile, impatient, makeWorld, MiB, migrate } from '../support/world.ts';
import type { TestVm, World } from '../support/world.ts';

const missing = [
  ...missingNeeds(),
  ...(charonMissing === null ? [] : [charonMissing]),
  ...missingPrograms({ tcpdump: 'tcpdump' }).map(([name]) => `${name} (package ${name})`),
];
/** Takes some seconds at the lab's rate. */
const noisy = { diskBytes: [24 * MiB, 2 * MiB], noise: true };
const link = { roundTripMs: 20, rateMbps: 50 };

describeWhere(missing, 'a move through an IPsec tunnel', () => {
  let folder: string;
  let lab: WanLab;
  let charons: Charon[];
  let plan: HostsOnWan;
  let world: World;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sealift-tunnel-'));
    lab = await bringUpWanLab(link);
    charons = await Promise.all(lab.sites.map((site) => startCharon(site, join(folder, site.name))));
    plan = await planHostsOnWan(lab, { charons });
    // Whatever is not held back, leaves: the sites have a way for all that is IPv6.
    for (const { within } of lab.sites) await execa(...within('ip', '-6', 'route', 'add', 'default', 'dev', 'wan0'));
    world = await makeWorld({ settings: impatient, at: plan });
  }, 120_000);
  afterEach(async () => {
    await lab.setLink(link);
    // The guard stays: what the kernel still has of a connection must not leave in the clear.
    const guard = expect.stringMatching(/^unreachable fd5e:a11f::\/32 /);
    for (const site of lab.sites) expect(await leftAt(site)).toEqual([guard]);
    for (const { vici } of charons) {
      const [connections, { keys }] = await Vici.with(
        vici,
        async (charon) => [await charon.list('list-conns', 'list-conn'), await charon.ask('get-keys')] as const,
      );
      expect([connections, keys]).toEqual([[], []]);
    }
  });
  afterAll(async () => {
    await world.close();
    plan.close();
    for (const charon of charons) await charon.kill();
    await lab.down();
    await rm(folder, { recursive: true, force: true });
  }, 60_000);

  const [london, frankfurt] = [0, 1] as const;
  const send = (vm: TestVm, more = {}): Promise<MoveHandle> =>
    migrate(world, { vm: vm.name, method: 'tunnel', ...more });
  const inner = async (vm: TestVm): Promise<{ source: string; destination: string }> => {
    const { summary } = await world.sealift.inspect({ vm: vm.uuid, host: 'lon-1' });
    return innerAddresses(`${String(summary.deed?.lineage)}/2`);
  };
  const someArrived = (move: MoveHandle): Promise<unknown> =>
    until(move, ({ transfer }) => (transfer?.disks[0]?.verifiedBytes ?? 0) > 0);

  test('shows nothing of it to the line, and leaves no end of the tunnel behind', async () => {
    const vm = await world.makeVm('web-1', noisy);
    const marker = Buffer.from('what nobody on the way may read. '.repeat(64));
    const disk = await open(vm.diskPaths[0] ?? '', 'r+');
    for (let at = 0; at < 24 * MiB; at += MiB) await disk.write(marker, 0, marker.length, at);
    await disk.close();
    const capture = await Capture.start(lab.sites[frankfurt], join(folder, 'moved.pcap'));
    await (await send(vm)).result();
    await expectMoved(world, vm);
    const seen = await capture.stop();
    // All of it, in ESP; but for the survey, which needs no tunnel and says nothing of the guest's disks.
    expect(seen.espBytes).toBeGreaterThan(24 * MiB);
    expect(seen.bytes - seen.espBytes).toBeLessThan(MiB / 2);
    expect(seen.holds(marker.subarray(0, 33))).toBe(false);
    expect(seen.beside).toBe(0);
  }, 60_000);

  test('is watched by a capture that would see what is in the clear', async () => {
    const capture = await Capture.start(lab.sites[frankfurt], join(folder, 'clear.pcap'));
    await execa(...lab.sites[london].within('ping', '-c', '2', '-p', '736561', lab.sites[frankfurt].address));
    expect((await capture.stop()).holds(Buffer.from('seaseasea'))).toBe(true);
  });

  test.each([
    ['source', london],
    ['destination', frankfurt],
  ] as const)(
    'stops when strongSwan is killed at the %s, and goes on when it is back',
    async (name, end) => {
      const vm = await world.makeVm(`killed-${name}`, noisy);
      const move = await send(vm);
      await someArrived(move);
      const capture = await Capture.start(lab.sites[london], join(folder, `${name}.pcap`));
      await charons[end]?.kill();
      await until(move, (at) => at.status.waits.join(' ').includes('tunnel-down'));
      await charons[end]?.start();
      await move.result();
      await expectMoved(world, vm);
      expect((await capture.stop()).beside).toBe(0);
    },
    90_000,
  );

  test('waits while the line is cut, and goes on', async () => {
    const vm = await world.makeVm('cut', noisy);
    const move = await send(vm);
    await someArrived(move);
    await lab.setLink({ outage: true });
    await until(move, (at) => /did not move|no stream|tunnel-down/.test(troubles(at) + at.status.waits.join(' ')));
    await lab.setLink(link);
    await move.result();
    await expectMoved(world, vm);
  }, 120_000);

  test("goes on in a tunnel of another key when the source's worker was killed", async () => {
    const vm = await world.makeVm('restarted', noisy);
    const move = await send(vm);
    await someArrived(move);
    await world.killWorker(world.london);
    await world.startWorker(world.london);
    await move.result();
    await expectMoved(world, vm);
  }, 90_000);

  test('is taken down by an abort, and nothing gets out beside it', async () => {
    const vm = await world.makeVm('aborted', noisy);
    const move = await send(vm);
    await someArrived(move);
    const capture = await Capture.start(lab.sites[london], join(folder, 'aborted.pcap'));
    // What was given to the kernel stays there.
    await lab.setLink({ outage: true });
    await until(move, ({ transfer }) => transfer?.bytesPerSecond === 0);
    await move.abort();
    await expect(move.result()).rejects.toMatchObject({ type: 'cancelled' });
    await expectUnmoved(world, vm);
    expect((await capture.stop()).beside).toBe(0);
  }, 60_000);

  test('ends, with the VM where it was, when something leads past the tunnel', async () => {
    const vm = await world.makeVm('beside', noisy);
    const { destination } = await inner(vm);
    const beside = ['-6', 'route', 'replace', `${destination}/128`, 'dev', 'wan0', 'metric', '1'];
    await execa(...lab.sites[london].within('ip', ...beside));
    const early = await send(vm);
    await expect(early.result()).rejects.toMatchObject({ type: 'tunnel-leaks' });
    await expectUnmoved(world, vm);
    await execa(
      ...lab.sites[london].within('ip', '-6', 'route', 'delete', `${destination}/128`, 'dev', 'wan0', 'metric', '1'),
    );
  }, 60_000);

  test('ends as soon as the way is another one than was proven', async () => {
    const vm = await world.makeVm('rerouted', noisy);
    const { destination } = await inner(vm);
    await lab.setLink({ ...link, rateMbps: 10 });
    const move = await send(vm);
    await someArrived(move);
    // As a careless administrator might.
    await execa(
      ...lab.sites[london].within('ip', '-6', 'rule', 'add', 'to', `${destination}/128`, 'lookup', '77', 'pref', '7'),
    );
    await execa(
      ...lab.sites[london].within('ip', '-6', 'route', 'add', `${destination}/128`, 'dev', 'wan0', 'table', '77'),
    );
    await expect(move.result()).rejects.toMatchObject({ type: 'tunnel-leaks' });
    await execa(...lab.sites[london].within('ip', '-6', 'rule', 'delete', 'pref', '7'));
    await execa(...lab.sites[london].within('ip', '-6', 'route', 'flush', 'table', '77'));
    await expectUnmoved(world, vm);
  }, 60_000);

  test('is refused before anything is changed where strongSwan is away, or wants another cipher', async () => {
    const vm = await world.makeVm('refused', { diskBytes: [MiB] });
    const names = async (): Promise<string[]> =>
      (await world.sealift.plan({ vm: vm.name, to: 'fra-1', method: 'tunnel' })).concerns
        .filter(({ severity }) => severity === 'refuses')
        .map(({ name, text }) => `${name}: ${text}`);
    await charons[frankfurt]?.kill();
    expect(await names()).toEqual([expect.stringMatching(/^tunnel-unready: fra-1: no strongSwan answers at /)]);
    await charons[frankfurt]?.start();
    const before = await changeHostFile(world, world.frankfurt, withOtherCipher);
    expect(await names()).toEqual(['tunnel-unready: lon-1 wants ESP by aes256gcm16, fra-1 by aes256-sha256']);
    await changeHostFile(world, world.frankfurt, () => before);
    expect(await names()).toEqual([]);
    await expectUnmoved(world, vm);
  }, 60_000);

  test('waits when the cipher is another one all of a sudden, and says so', async () => {
    const vm = await world.makeVm('mismatch', { diskBytes: [MiB] });
    const move = await send(vm, { cutover: 'approve' });
    await until(move, ({ status }) => status.waitsForPerson);
    const before = await changeHostFile(world, world.frankfurt, withOtherCipher);
    await move.approve({ by: 'test' });
    await until(move, (at) => at.status.waits.join(' ').includes('tunnel-down'));
    await changeHostFile(world, world.frankfurt, () => before);
    await move.result();
    await expectMoved(world, vm);
  }, 90_000);
});

function withOtherCipher(file: HostFile): HostFile {
  return { ...file, tunnel: { ...file.tunnel, esp: 'aes256-sha256' } };
}

/** What is left at a site of any tunnel: addresses and routes of its own. */
async function leftAt(site: Site): Promise<string[]> {
  const [addresses, routes] = await Promise.all([
    execa(...site.within('ip', '-6', '-o', 'address', 'show')),
    execa(...site.within('ip', '-6', '-o', 'route', 'show', 'table', 'all')),
  ]);
  return `${addresses.stdout}\n${routes.stdout}`.split('\n').filter((line) => line.includes('fd5e:a11f:'));
}

/** Every packet on the line, as it comes to a site. */
class Capture {
  readonly #path: string;
  readonly #child: ReturnType<typeof spawn>;

  private constructor(path: string, child: ReturnType<typeof spawn>) {
    this.#path = path;
    this.#child = child;
  }

  static async start(site: Site, path: string): Promise<Capture> {
    const [program, args] = site.within('tcpdump', '-i', 'wan0', '-U', '-s', '0', '-B', '32768', '-w', path);
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    await once(child.stderr, 'data');
    return new Capture(path, child);
  }

  /** `beside`: packets with an address that is inside of tunnels, but not in one. */
  async stop(): Promise<{
    bytes: number;
    espBytes: number;
    beside: number;
    holds: (content: Buffer) => boolean;
  }> {
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGINT');
    await ended;
    const file = await readFile(this.#path);
    let [bytes, espBytes, beside] = [0, 0, 0];
    for (let at = 24; at + 16 <= file.length;) {
      const packet = file.subarray(at + 16, at + 16 + file.readUInt32LE(at + 8));
      at += 16 + packet.length;
      bytes += packet.length;
      if (isEsp(packet)) espBytes += packet.length;
      if (isBeside(packet)) beside += 1;
    }
    return { bytes, espBytes, beside, holds: (content) => file.includes(content) };
  }
}

const innerPrefix = Buffer.from('fd5ea11f', 'hex');

/** Of an IPv6 packet, which is in no other one here. */
function isBeside(packet: Buffer): boolean {
  return packet.readUInt8(0) >> 4 === 6 && packet.subarray(8, 40).includes(innerPrefix);
}

/** Of an IPv4 packet: IKE and ESP within UDP (RFC 3948), or ESP itself. */
function isEsp(packet: Buffer): boolean {
  if (packet.readUInt8(0) >> 4 !== 4) return false;
  const protocol = packet.readUInt8(9);
  if (protocol === 50) return true;
  const headerBytes = (packet.readUInt8(0) & 15) * 4;
  return protocol === 17 && [packet.readUInt16BE(headerBytes), packet.readUInt16BE(headerBytes + 2)].includes(4500);
}
