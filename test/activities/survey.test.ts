import { afterEach, expect, test } from '@jest/globals';
import { hostCard } from '../../activities/card.ts';
import { surveyDestination } from '../../activities/survey.ts';
import type { SourceSurvey } from '../../domain/survey.ts';
import { closeHosts, disks, openHosts, vm } from './support.ts';

afterEach(closeHosts);

test('a destination leaves to the plan what the cards of both hosts tell', async () => {
  const { london, frankfurt } = await openHosts();
  const host = { ...(await hostCard(london.host)), name: 'par-1', protocolVersion: 99 };
  const source: SourceSurvey = { host, ...vm, state: 'stopped', memoryBytes: 2 ** 50, disks, deed: null, concerns: [] };
  const { concerns } = await surveyDestination(frankfurt.host, { source, method: 'staged' });
  expect(concerns).toEqual([]);
});
