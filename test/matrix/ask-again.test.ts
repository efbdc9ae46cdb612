import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Stage } from './stage.ts';
import { makeSuspect } from './suspects.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
}, 120_000);
afterAll(async () => {
  await stage.close();
}, 120_000);

// Found by the matrix, seed 3001: the answer took two minutes.
test('a host worker that dies over a question is not waited for, and the same may be asked again', async () => {
  const { world, director } = stage;
  await makeSuspect(world, stage.secrets, 'asked', { adopt: false });
  director.lie({
    fits: ({ name, when }) => name === 'adoptVm' && when === 'after',
    act: async () => {
      await world.killWorker(world.london);
      await world.startWorker(world.london);
    },
  });
  const adopt = () => world.sealift.adopt({ vm: 'asked', host: 'lon-1', by: 'test' });
  const began = performance.now();
  await expect(adopt()).rejects.toMatchObject({ type: 'host-away' });
  expect(performance.now() - began).toBeLessThan(60_000);
  expect(await adopt()).toMatchObject({ token: 1 });
});
