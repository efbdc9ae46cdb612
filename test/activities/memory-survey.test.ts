import { afterEach, expect, test } from '@jest/globals';
import { hostCard } from '../../activities/card.ts';
import { memoryConcernsThere, surveyMemory } from '../../activities/memory-survey.ts';
import type { Concern, SourceSurvey } from '../../domain/survey.ts';
import type { FoundVm } from '../../xen/dom0.ts';
import { parseXlConfig } from '../../xen/xl-config/parse.ts';
import { closeHosts, disks, openHosts, vm } from './support.ts';

afterEach(closeHosts);

const MiB = 2 ** 20;
const names = (concerns: Concern[]): string[] => concerns.map(({ name }) => name);

function found(text: string, change: Partial<FoundVm> = {}): FoundVm {
  const { vmName: name, vmUuid: uuid } = vm;
  const places = { configPath: null, autostartPath: null, savedImagePath: null };
  const config = parseXlConfig(text, 'web-1.cfg');
  return {
    name,
    uuid,
    state: 'running',
    problem: null,
    ...places,
    config,
    domid: 1,
    memoryBytes: 64 * MiB,
    disks: [],
    running: null,
    ...change,
  };
}

test('a source refuses what cannot be saved', async () => {
  const { london } = await openHosts();
  const survey = async (vm: FoundVm): Promise<string[]> => names((await surveyMemory(london.host, vm)).concerns);
  expect(await survey(found('memory = 64'))).toEqual([]);
  expect(await survey(found('memory = 64', { state: 'crashed' }))).toEqual(['memory-not-running']);
  expect(await survey(found('memory = 64\nnomigrate = 1'))).toEqual(['memory-unmovable']);
  expect(await survey(found('memory = 64\nvnuma = [["pnode=0"]]'))).toEqual(['memory-unmovable']);
  expect(await survey(found('memory = 64', { memoryBytes: 2 ** 50 }))).toEqual(['memory-no-room']);
});

test('the image has room for what the guest may grow to', async () => {
  const { london } = await openHosts();
  const size = async (text: string): Promise<number> =>
    (await surveyMemory(london.host, found(text))).image.sizeBytes / MiB;
  expect(await size('memory = 64')).toBe(97);
  expect(await size('memory = 64\nmaxmem = 640')).toBe(682);
});

test('a destination refuses memory of a newer Xen, and an image that has no room', async () => {
  const { london, frankfurt } = await openHosts();
  const [host, card] = [await hostCard(london.host), await hostCard(frankfurt.host)];
  const concerns = async (older: boolean, imageBytes: number | null): Promise<string[]> => {
    const image = imageBytes === null ? [] : [{ vdev: 'memory', sizeBytes: imageBytes, sectorBytes: 512 }];
    const source: SourceSurvey = {
      ...{ host, ...vm, state: 'running', memoryBytes: 64 * MiB, deed: null, concerns: [] },
      disks: [...disks, ...image],
    };
    return names(await memoryConcernsThere(frankfurt.host, { card, source, older }));
  };
  expect(await concerns(true, null)).toEqual([]);
  expect(await concerns(false, MiB)).toEqual([]);
  expect(await concerns(true, MiB)).toEqual(['memory-older-xen']);
  expect(await concerns(false, 2 ** 50)).toEqual(['memory-no-room']);
});
