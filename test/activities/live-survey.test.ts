import { afterEach, expect, test } from '@jest/globals';
import { hostCard } from '../../activities/card.ts';
import type { Host } from '../../activities/host.ts';
import { liveConcerns, liveConcernsThere } from '../../activities/live-survey.ts';
import { cpuConcerns } from '../../activities/memory-survey.ts';
import type { HostFile } from '../../domain/host-file.ts';
import type { DiskShape } from '../../domain/manifest.ts';
import type { Concern, SourceSurvey } from '../../domain/survey.ts';
import type { FoundVm } from '../../xen/dom0.ts';
import { parseXlConfig } from '../../xen/xl-config/parse.ts';
import { closeHosts, disks, openHosts, vm } from './support.ts';

afterEach(closeHosts);

const names = (concerns: Concern[]): string[] => concerns.map(({ name }) => name);
const shared: DiskShape[] = disks.map((disk) => ({ ...disk, lun: 'naa.6000000000000001' }));
const beside = {
  access: 'ssh' as const,
  address: '203.0.113.1',
  port: 22,
  user: 'root',
  host_key: 'SHA256:x',
  private_key: '/x',
  folder: '/x',
};

function withFile(host: Host, dom0: HostFile['dom0']): Host {
  return { ...host, file: { ...host.file, dom0 } };
}

function found(text: string, state: FoundVm['state'] = 'running'): FoundVm {
  const { vmName: name, vmUuid: uuid } = vm;
  const places = { configPath: null, autostartPath: null, savedImagePath: null };
  const config = parseXlConfig(text, 'web-1.cfg');
  return {
    name,
    uuid,
    state,
    problem: null,
    ...places,
    config,
    domid: 1,
    memoryBytes: 2 ** 26,
    disks: [],
    running: null,
  };
}

test('a source refuses to move a guest live that it cannot', async () => {
  const { london } = await openHosts();
  const survey = async (vm: FoundVm, shapes = shared, host = london.host): Promise<string[]> =>
    names(await liveConcerns(host, vm, shapes));
  expect(await survey(found('type = "pvh"'))).toEqual([]);
  expect(await survey(found('type = "hvm"'))).toEqual([]);
  // As Debian's Xen, the stand-in has no shadow paging.
  expect(await survey(found('type = "pv"'))).toEqual(['live-guest-type']);
  expect(await survey(found('type = "pvh"'), disks)).toEqual(['live-disk']);
  expect(await survey(found('type = "pvh"', 'paused'))).toEqual(['live-not-running']);
  expect(await survey(found('type = "pvh"\nnomigrate = 1'))).toEqual(['memory-unmovable']);
  expect(await survey(found('type = "pvh"'), shared, withFile(london.host, beside))).toEqual([]);
  const bySudo = withFile(london.host, { ...beside, user: 'xen' });
  expect(await survey(found('type = "pvh"'), shared, bySudo)).toEqual(['live-beside']);
});

test('a destination refuses a guest that would miss something, or whose memory cannot come', async () => {
  const { london, frankfurt } = await openHosts();
  const [host, card] = [await hostCard(london.host), await hostCard(frankfurt.host)];
  const source = (cpuFeatures: string): SourceSurvey => ({
    ...{ ...vm, state: 'running', memoryBytes: 2 ** 26, deed: null, concerns: [], disks: shared },
    host: { ...host, cpuFeatures },
  });
  const there = (older: boolean, at = frankfurt.host): string[] =>
    names(liveConcernsThere(at, { card, source: source(''), older }));
  expect(there(false)).toEqual([]);
  expect(there(true)).toEqual(['memory-older-xen']);
  expect(there(false, withFile(frankfurt.host, { ...beside, user: 'xen' }))).toEqual(['live-beside']);

  const cpu = (here: string, there: string): string[][] =>
    cpuConcerns({ ...card, cpuFeatures: there }, source(here)).map(({ name, text }) => [name, text]);
  expect(cpu('178bf3fd:80002001', '178bf3fd:80002001')).toEqual([]);
  expect(cpu('078bf3fd:00000001', '178bf3fd:80002001')).toEqual([]);
  const lacks = (count: number): string[][] => [
    ['memory-cpu', `${String(count)} features of the processors of lon-1 are not in those of fra-1`],
  ];
  expect(cpu('178bf3fd:80002001', '078bf3fd:00000000')).toEqual(lacks(4));
  expect(cpu('00000001:80000000', '00000001')).toEqual(lacks(1));
  expect(names(cpuConcerns(card, source(host.cpuFeatures ?? '')))).toEqual([]);
});
