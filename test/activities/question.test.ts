import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, describe, expect, test } from '@jest/globals';
import { askDestination, exchange } from '../../activities/question.ts';
import { createIdentity } from '../../deed/identity.ts';
import type { Identity } from '../../deed/identity.ts';
import { makeLabHost, stopLabHost, addLabVm } from '../../infra/lab/lab-host.ts';
import type { LabHost, LabHostOptions } from '../../infra/lab/lab-host.ts';
import { parseHostFile } from '../../domain/host-file.ts';
import { openDatabase } from '../../storage/database.ts';
import { Journal, journalTables } from '../../storage/journal.ts';
import { landingTables, startLanding } from '../../transport/landing.ts';
import { onLine } from '../../transport/line.ts';
import { openingKind } from '../../transport/opening.ts';
import { xlToolstack } from '../../xen/xl.ts';
import { startProxy } from '../transport/proxy.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const content = {
  vmUuid: '11111111-2222-3333-4444-555555550001',
  vmName: 'web-1',
  config: 'name = "web-1"\nkernel = "/boot/secret"\ndisk = ["/a,,xvda,w"]\nvif = ["bridge=dmz"]\n',
  disks: ['xvda'],
};

interface Pair {
  source: { identity: Identity };
  destination: { identity: string; landing: { address: string; port: number } };
  folder: string;
  lab: LabHost;
}

/** A destination with a real landing and a stand-in Xen that trusts the source, and a source that asks it. */
async function setUp(xen = '', machine: LabHostOptions = {}): Promise<Pair> {
  const folder = await mkdtemp(join(tmpdir(), 'sealift-question-'));
  closing.push(() => rm(folder, { recursive: true }));
  const [source, destination] = [await createIdentity(join(folder, 'a')), await createIdentity(join(folder, 'b'))];
  const lab = await makeLabHost(join(folder, 'dom0'), machine);
  await mkdir(join(lab.netFolder, 'br1'));
  const text = `name = "fra-1"
site = "frankfurt"
state = "${folder}"
landing = { address = "127.0.0.1", port = 0 }
pool = [{ name = "fast", kind = "folder", path = "${folder}" }]
peer = [{ name = "lon-1", identity = "${source.name}" }]
xen.net = "${lab.netFolder}"
xen.etc = "${lab.etcFolder}"
${xen}`;
  const file = parseHostFile(text, 'host.toml');
  const toolstack = xlToolstack({ command: lab.xl, env: lab.env });
  const database = openDatabase(join(folder, 'landing.db'), [journalTables, landingTables]);
  closing.push(() => {
    database.close();
  });
  const landing = await startLanding({
    address: '127.0.0.1',
    port: 0,
    database,
    journal: new Journal(database, 'landing'),
    authorize: () => Promise.reject(new Error('no run here')),
    exchange: () => exchange({ identity: destination, file, dom0: lab, toolstack }),
    threads: 1,
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
  });
  closing.push(() => landing.close());
  return {
    source: { identity: source },
    destination: { identity: destination.name, landing: { address: '127.0.0.1', port: landing.port } },
    folder,
    lab,
  };
}

/** What the destination has against a configuration that it maps without more ado, by severity and name. */
async function answers({ source, destination }: Pair, config: string): Promise<string[]> {
  const { concerns } = await askDestination(source, destination, { ...content, config });
  return concerns.map(({ severity, name, text }) => `${severity} ${name}: ${text}`);
}

describe('a question about a configuration', () => {
  test('is answered by the maps of the destination, with no path in it', async () => {
    const { source, destination } = await setUp('[xen.bridges]\ndmz = "br1"');
    const answer = await askDestination(source, destination, content);
    expect(answer.concerns.map(({ name }) => name)).toEqual(['unmapped-file']);
    expect(answer.changes).toContain('vif 0: bridge dmz → br1');
    expect(JSON.stringify(answer)).not.toContain('secret');
  });

  test('finds a mapped file that is not there', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sealift-question-'));
    closing.push(() => rm(folder, { recursive: true }));
    const { source, destination } = await setUp(
      `[xen.paths]\n"/boot/secret" = "${folder}/kernel"\n[xen.bridges]\ndmz = "br1"`,
    );
    const before = await askDestination(source, destination, content);
    expect(before.concerns.map(({ name, text }) => `${name}: ${text}`)).toEqual([
      'dom0-file-missing: kernel leads to a file that is not on fra-1',
    ]);
    await writeFile(join(folder, 'kernel'), '');
    expect((await askDestination(source, destination, content)).concerns).toEqual([]);
  });

  test('that does not parse is a concern, not an error', async () => {
    const { source, destination } = await setUp();
    const answer = await askDestination(source, destination, { ...content, config: 'disk = [ "/a,,xvda",' });
    expect(answer.concerns.map(({ name }) => name)).toEqual(['config-syntax']);
  });

  test('is asked of nobody but the pinned destination', async () => {
    const { source, destination, folder } = await setUp();
    const other = await createIdentity(join(folder, 'c'));
    await expect(askDestination(source, { ...destination, identity: other.name }, content)).rejects.toMatchObject({
      type: 'bad-statement',
    });
    await expect(askDestination({ identity: other }, destination, content)).rejects.toMatchObject({
      type: 'unknown-peer',
    });
  });

  test('of another connection is refused, and so is one without a key', async () => {
    const { source, destination } = await setUp();
    // What somebody on the line records, he asks again.
    const proxy = await startProxy(destination.landing.port);
    closing.push(() => proxy.close());
    const sent: Buffer[] = [];
    proxy.onFrame = ({ bytes }) => {
      sent.push(bytes);
      return [bytes];
    };
    await askDestination(source, { ...destination, landing: { address: '127.0.0.1', port: proxy.port } }, content);
    expect(Buffer.concat(sent).includes('secret')).toBe(false);
    const question = (sent[1] ?? Buffer.alloc(0)).subarray(12);
    const replayed = onLine(destination.landing, async (line) => {
      await line.ask(openingKind.ask, Buffer.alloc(32), openingKind.askKey);
      return line.ask(openingKind.question, question, openingKind.answer);
    });
    await expect(replayed).rejects.toMatchObject({
      type: 'bad-statement',
      message: expect.stringContaining('another host or connection'),
    });
    const keyless = onLine(destination.landing, (line) => line.ask(openingKind.question, question, openingKind.answer));
    await expect(keyless).rejects.toMatchObject({ type: 'bad-frame' });
  });
});

describe('the destination looks at itself', () => {
  const onBr1 = 'xen.default_bridge = "br1"';
  const web = (more: string): string =>
    `name = "web-1"
memory = 512
type = "hvm"
disk = [ "/dev/vg0/web-1,raw,xvda,w" ]
vif = [ "mac=00:16:3e:00:00:21,bridge=br1" ]
${more}
`;

  test('and has nothing against a VM that it can run', async () => {
    const pair = await setUp(onBr1);
    expect(await answers(pair, web('vcpus = 1\ncpus = "all"\nmax_grant_frames = 64'))).toEqual([]);
  });

  test('a MAC address that another VM has, in its configuration or as it runs', async () => {
    const pair = await setUp(onBr1);
    const { lab } = pair;
    closing.push(() => stopLabHost(lab.root));
    const disks = [{ path: join(pair.folder, 'db'), vdev: 'xvda', sizeBytes: 2 ** 20 }];
    const { configPath } = await addLabVm(lab, { name: 'db-1', memoryMib: 32, disks });
    const own = (await readFile(configPath, 'utf8')).replace(/mac=[^,]*/, 'mac=00:16:3E:0:0:21');
    await writeFile(configPath, own);
    const taken = 'refuses mac-taken: vif 0 has the MAC address of another VM on fra-1: db-1';
    expect(await answers(pair, web(''))).toEqual([taken]);
    await execa(lab.xl, ['create', configPath], { env: lab.env });
    await writeFile(configPath, own.replace('00:16:3E:0:0:21', '00:16:3e:00:00:22'));
    expect(await answers(pair, web(''))).toEqual([taken]);
    // The VM itself, which was here before, is nobody else.
    await execa(lab.xl, ['destroy', 'db-1'], { env: lab.env });
    await writeFile(configPath, own.replace(/uuid = .*/, `uuid = "${content.vmUuid}"`));
    expect(await answers(pair, web(''))).toEqual([]);
  });

  test('fewer processors and nodes than the VM names', async () => {
    const pair = await setUp(onBr1, { processors: 2 });
    expect(
      await answers(pair, web('vcpus = 4\ncpus = ["0", "2-3"]\nvnuma = [["pnode=1", "size=512", "vcpus=0-3"]]')),
    ).toEqual([
      'warns more-vcpus: the VM has 4 virtual processors, fra-1 has 2',
      'refuses no-such-cpus: cpus names processors that are not there: fra-1 has them up to 1',
      'refuses no-such-node: vnuma names node 1, fra-1 has 1 (counted from 0)',
    ]);
    expect(await answers(pair, web('cpus = "1-3"\nvnuma = [["pnode=0", "size=512"]]'))).toEqual([]);
  });

  test('a Xen that does not run this type of guest', async () => {
    const pair = await setUp(onBr1, { xenCaps: 'xen-3.0-x86_64 xen-3.0-x86_32p ' });
    expect(await answers(pair, web(''))).toEqual(['refuses guest-type: the Xen of fra-1 runs no HVM guests']);
  });

  test('grants and other defaults of its own', async () => {
    const pair = await setUp(onBr1, { xenCommandLine: 'placeholder gnttab_max_frames=128 dom0_mem=1024M' });
    expect(await answers(pair, web('max_grant_frames = 256\nmax_maptrack_frames = 1024'))).toEqual([
      'warns grant-limit: max_grant_frames is 256, the Xen of fra-1 gives 128',
    ]);
    await writeFile(
      join(pair.lab.etcFolder, 'xl.conf'),
      '## Global XL config file ##\n\nmax_grant_frames=32\nclaim_mode=0\nvif.default.script="vif-openvswitch"\n',
    );
    // To that script the name of a bridge may mean anything.
    expect(await answers(pair, web('vif = [ "mac=00:16:3e:00:00:21,bridge=ovs0" ]'))).toEqual([
      'warns bridge-defaulted: vif 0 is on a bridge that this host does not map; it gets the default one',
      'note grant-default: max_grant_frames is not set, and xl.conf of fra-1 makes it 32',
      "warns vif-default-script: xl.conf of fra-1 sets up vifs that name no script by another one than Xen's",
      'note no-claim: xl.conf of fra-1 has claim_mode=0',
    ]);
  });

  test('a bootloader that it allows and does not have', async () => {
    const pair = await setUp(`${onBr1}\nxen.allow.bootloaders = ["pygrub-of-sealift"]`);
    const booted = web('').replace('"hvm"', '"pv"\nbootloader = "pygrub-of-sealift"');
    expect(await answers(pair, booted)).toEqual([
      'warns bootloader-missing: fra-1 allows the bootloader, but it is not found there',
    ]);
  });
});
