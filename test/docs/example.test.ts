import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { execa } from 'execa';
import { makeWorld } from '../support/world.ts';

const example = fileURLToPath(new URL('./example.ts', import.meta.url));

test('the example of README.md moves a VM', async () => {
  const world = await makeWorld();
  try {
    await world.makeVm('web-1');
    const { stdout } = await execa(process.execPath, [example], {
      env: { TEMPORAL_ADDRESS: world.up.server.address },
      stdin: 'ignore',
      timeout: 120_000,
    });
    expect(stdout).toMatch(/^done 3145728 3145728$/m);
    expect(stdout).toMatch(/^web-1 runs on fra-1, root [0-9a-f]{64}$/m);
  } finally {
    await world.close();
  }
}, 180_000);
