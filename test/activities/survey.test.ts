import { randomBytes, randomUUID } from 'node:crypto';
import { appendFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { admitRun } from '../../activities/admission.ts';
import { hostCard } from '../../activities/card.ts';
import { receiveRun } from '../../activities/run.ts';
import { surveyDestination, surveySource } from '../../activities/survey.ts';
import type { Concern, SourceSurvey } from '../../domain/survey.ts';
import { addLabVm, makeLabHost } from '../../infra/lab/lab-host.ts';
import type { LabHostOptions } from '../../infra/lab/lab-host.ts';
import { closeHosts, disks, offers, openHosts, placement, vm } from './support.ts';
import type { OpenHost } from './support.ts';

afterEach(closeHosts);

const MiB = 2 ** 20;

/** Severity and name of each. */
function names(concerns: Concern[]): string[] {
  return concerns.map(({ severity, name }) => `${severity} ${name}`);
}

async function sourceOf(at: OpenHost, change: Partial<SourceSurvey> = {}): Promise<SourceSurvey> {
  const host = await hostCard(at.host);
  return { host, ...vm, state: 'stopped', memoryBytes: 512 * MiB, disks, deed: null, concerns: [], ...change };
}

/** The stand-in is another machine from now on. */
async function rebuild({ made }: OpenHost, options: LabHostOptions): Promise<void> {
  await makeLabHost(made.lab.root, options);
}

describe('a destination', () => {
  async function concerns(at: OpenHost, source: SourceSurvey): Promise<string[]> {
    const survey = await surveyDestination(at.host, { source, method: 'sealed' });
    return survey.concerns.map(({ severity, name, text }) => `${severity} ${name}: ${text}`);
  }

  test('leaves to the plan what the cards of both hosts tell', async () => {
    const { london, frankfurt } = await openHosts();
    const source = await sourceOf(london);
    Object.assign(source.host, { name: 'par-1', protocolVersion: 99 });
    expect(await concerns(frankfurt, source)).toEqual([]);
  });

  test('warns of an older Xen, whose repairs do not count', async () => {
    const { london, frankfurt } = await openHosts();
    const source = await sourceOf(london);
    expect(source.host.xenVersion).toBe('4.17.7');
    await rebuild(frankfurt, { xenVersion: '4.17.2' });
    expect(await concerns(frankfurt, source)).toEqual([]);
    await rebuild(frankfurt, { xenVersion: '4.20.0' });
    expect(await concerns(frankfurt, source)).toEqual([]);
    await rebuild(frankfurt, { xenVersion: '4.9.4' });
    expect(await concerns(frankfurt, source)).toEqual([
      'warns older-xen: fra-1 runs Xen 4.9.4, older than 4.17.7 on lon-1',
    ]);
  });

  test('needs memory for a VM that runs, and none for one that does not', async () => {
    const { london, frankfurt } = await openHosts();
    await rebuild(frankfurt, { memoryMib: 2048, dom0Mib: 1024 });
    const memoryBytes = 1024 * MiB;
    expect(await concerns(frankfurt, await sourceOf(london, { memoryBytes, state: 'running' }))).toEqual([]);
    const more = memoryBytes + 1;
    expect(await concerns(frankfurt, await sourceOf(london, { memoryBytes: more, state: 'paused' }))).toEqual([
      'refuses no-memory: web-1 takes 1025 MiB of memory, fra-1 has 1024 MiB free',
    ]);
    expect(await concerns(frankfurt, await sourceOf(london, { memoryBytes: more, state: 'stopped' }))).toEqual([]);
  });

  test('takes memory from dom0 when its xl does, and then only warns', async () => {
    const { london, frankfurt } = await openHosts();
    // No dom0_mem=: dom0 has all memory that no guest has.
    await rebuild(frankfurt, { memoryMib: 2048, dom0Mib: 1920, xenCommandLine: 'placeholder loglvl=all' });
    const running = (mebibytes: number): Promise<SourceSurvey> =>
      sourceOf(london, { memoryBytes: mebibytes * MiB, state: 'running' });
    expect(await concerns(frankfurt, await running(1920))).toEqual([
      'warns dom0-shrinks: web-1 takes 1920 MiB of memory, fra-1 has 128 MiB free: its dom0 would have to give up the rest',
    ]);
    expect(await concerns(frankfurt, await running(1921))).toEqual([expect.stringContaining('refuses no-memory')]);
    await writeFile(join(frankfurt.made.lab.etcFolder, 'xl.conf'), '# as Debian has it\nautoballoon="off"\n');
    expect(await concerns(frankfurt, await running(1920))).toEqual([expect.stringContaining('refuses no-memory')]);
  });

  test('counts what VMs on their way will take, and looks again before a VM is stopped', async () => {
    const { london, frankfurt } = await openHosts();
    await rebuild(frankfurt, { memoryMib: 2048, dom0Mib: 1024 });
    const ask = { offer: offers(london, frankfurt), placement, disks, memoryBytes: 600 * MiB, from: 'lon-1' };
    await receiveRun(frankfurt.host, ask);
    const other = { vmUuid: randomUUID(), vmName: 'db-1', state: 'running' } as const;
    expect(await concerns(frankfurt, await sourceOf(london, { ...other, memoryBytes: 424 * MiB }))).toEqual([]);
    expect(await concerns(frankfurt, await sourceOf(london, { ...other, memoryBytes: 425 * MiB }))).toEqual([
      'warns memory-promised: db-1 takes 425 MiB of memory, other VMs on their way there take 600 MiB, fra-1 has 1024 MiB free',
    ]);
    // Its own landing is not in its way.
    expect(await concerns(frankfurt, await sourceOf(london, { state: 'running', memoryBytes: 600 * MiB }))).toEqual([]);
    const { migrationId } = ask.offer.body;
    await rebuild(frankfurt, { memoryMib: 1600, dom0Mib: 1024 });
    await expect(admitRun(frankfurt.host, migrationId)).rejects.toMatchObject({ type: 'no-memory' });
    await rebuild(frankfurt, { memoryMib: 1624, dom0Mib: 1024 });
    await admitRun(frankfurt.host, migrationId);
  });
});

describe('a source', () => {
  /** A VM with a disk of 1 MiB, as an administrator has written it. */
  async function webOn({ host, made }: OpenHost, lines = ''): Promise<string> {
    const { lab, poolPath } = made;
    const disk = { path: join(poolPath, 'web-1.raw'), vdev: 'xvda', sizeBytes: MiB };
    const { configPath } = await addLabVm(lab, { name: vm.vmName, uuid: vm.vmUuid, memoryMib: 512, disks: [disk] });
    await appendFile(configPath, `${lines}\n`);
    if (host.deeds.byVm(vm.vmUuid) === null) host.deeds.adopt({ ...vm, by: 'test' });
    return disk.path;
  }

  async function survey({ host }: OpenHost): Promise<SourceSurvey> {
    return surveySource(host, { vmUuid: vm.vmUuid, to: 'fra-1', method: 'sealed' });
  }

  test('has nothing against a whole VM, and says what its start takes', async () => {
    const { london } = await openHosts();
    await webOn(london, 'vcpus = 2\nmaxmem = 1024');
    const { concerns, memoryBytes } = await survey(london);
    expect(names(concerns)).toEqual(['warns ballooned-hvm']);
    // Two MiB for the processors, 4 KiB for each of the 1024 MiB.
    expect(memoryBytes).toBe((512 + 2 + 4) * MiB);
    await webOn(london, 'type = "pv"\nbootloader = "pygrub"');
    expect((await survey(london)).memoryBytes).toBe(512 * MiB);
    await webOn(london, 'shadow_memory = 16');
    expect((await survey(london)).memoryBytes).toBe(528 * MiB);
  });

  test('reads its disks, whatever the configuration says', async () => {
    const { london } = await openHosts();
    const path = await webOn(london);
    const disk = async (text: string): Promise<string[]> => {
      await webOn(london, `disk = [ ${text} ]`);
      return names((await survey(london)).concerns);
    };
    expect(await disk(`"${path},qcow2,xvda,w"`)).toEqual(['refuses disk-format']);
    expect(await disk(`"${path},raw,xvda,r"`)).toEqual(['refuses disk-read-only']);
    expect(await disk(`"${path},raw,xvda,w!"`)).toEqual(['refuses disk-shared']);
    expect(await disk(`"${path}.gone,raw,xvda,w"`)).toEqual(['refuses disk-missing']);
    expect(await disk(`"script=block-nbd,vdev=xvda,target=${path}"`)).toEqual(['refuses disk-script']);
    expect(await disk(`"backend=store,vdev=xvda,target=${path}"`)).toEqual(['refuses disk-driver-domain']);
    expect(await disk(`"${path},raw,xvda,w", "/srv/iso/debian.iso,,hdc,cdrom"`)).toEqual(['warns cdrom-image']);
    expect(await disk('"/srv/iso/debian.iso,,hdc,cdrom"')).toEqual(['refuses no-disk', 'warns cdrom-image']);
    await writeFile(path, randomBytes(1000));
    expect(await disk(`"${path},raw,xvda,w"`)).toEqual(['note odd-size']);
    await rm(path);
    await mkdir(path);
    expect(await disk(`"${path},raw,xvda,w"`)).toEqual(['refuses disk-unreadable']);
  });

  test('sees a qcow2 that is given as raw, and one that somebody has open', async () => {
    const { london } = await openHosts();
    const path = await webOn(london);
    const image = Buffer.alloc(8192);
    // Magic, version 3; its incompatible features are eight bytes at 72, and qemu sets the lowest while it writes.
    image.write('QFI\xfb\0\0\0\x03', 'latin1');
    await writeFile(path, image);
    expect(names((await survey(london)).concerns)).toEqual(['refuses disk-format']);
    image.writeUInt8(1, 79);
    await writeFile(path, image);
    expect(names((await survey(london)).concerns)).toEqual(['refuses disk-format', 'warns qcow2-dirty']);
  });

  test('tells what its xl.conf does for its own guests only', async () => {
    const { london } = await openHosts();
    await webOn(london);
    const conf = join(london.made.lab.etcFolder, 'xl.conf');
    await writeFile(conf, 'vm.cpumask="1-3"\nvif.default.script="/etc/xen/scripts/vif-route"\n');
    expect(names((await survey(london)).concerns)).toEqual(['note cpu-mask', 'warns vif-default-script']);
    await writeFile(conf, 'vm.cpumask="1-3\n');
    expect(names((await survey(london)).concerns)).toEqual([]);
  });

  test('may not move what it does not hold, or moves already', async () => {
    const { london, frankfurt } = await openHosts();
    const offer = offers(london, frankfurt);
    await webOn(london);
    expect(names((await survey(london)).concerns)).toEqual(['refuses run-open']);
    await receiveRun(frankfurt.host, { offer, placement, disks, from: 'lon-1' });
    await webOn(frankfurt);
    expect(names((await survey(frankfurt)).concerns)).toEqual(['refuses deed-refused']);
  });

  test('has a saved image, or a configuration that does not parse', async () => {
    const { london } = await openHosts();
    await webOn(london);
    const { lab } = london.made;
    await writeFile(join(lab.saveFolder, 'web-1'), 'not read');
    expect(names((await survey(london)).concerns)).toEqual(['refuses saved-image']);
    await rm(join(lab.saveFolder, 'web-1'));
    await webOn(london, 'memory = [ 1, 2 ]');
    expect(names((await survey(london)).concerns)).toContain('refuses config-syntax');
  });
});
