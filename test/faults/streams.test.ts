import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { chunkBytes } from '../../domain/chunks.ts';
import { expectMoved } from '../support/expect-moved.ts';
import { troubles, until } from '../support/until.ts';
import { changeHostFile, impatient, makeWorld, MiB, migrate } from '../support/world.ts';
import type { World } from '../support/world.ts';
import { startProxy } from '../transport/proxy.ts';
import type { Frame, Proxy } from '../transport/proxy.ts';

const noisy = { diskBytes: [24 * MiB, 2 * MiB], noise: true };

describe('a whole move over a network that does harm', () => {
  let world: World;
  let proxy: Proxy;
  beforeAll(async () => {
    world = await makeWorld({ settings: impatient });
    // London is told the proxy's address; the landing listens on the same port of another one.
    const { landing } = await changeHostFile(world, world.frankfurt, (file) => ({
      ...file,
      landing: { address: '127.0.0.2', port: file.landing.port, listen: '127.0.0.1' },
    }));
    proxy = await startProxy(landing.port, { address: '127.0.0.2', port: landing.port });
  });
  afterEach(() => {
    proxy.onFrame = ({ bytes }) => [bytes];
    proxy.chunks = 0;
  });
  afterAll(async () => {
    await proxy.close();
    await world.close();
  });

  /** Does `act` to the third chunk that goes through. */
  function atThirdChunk(act: (frame: Frame) => Buffer[]): void {
    proxy.onFrame = (frame) => (frame.kind === 'chunk' && proxy.chunks === 3 ? act(frame) : [frame.bytes]);
  }

  test('all streams are cut in the middle of a chunk', async () => {
    const vm = await world.makeVm('cut', noisy);
    atThirdChunk(({ bytes }) => {
      setImmediate(proxy.cut);
      return [bytes.subarray(0, chunkBytes / 2)];
    });
    const receipt = await (await migrate(world, { vm: vm.name })).result();
    expect(receipt.body.retries).toBeGreaterThan(0);
    await expectMoved(world, vm);
  });

  test.each([
    ['stalled: nothing comes through any more, and nothing ends', 'both'],
    ['half open: what the landing says still comes, what is sent to it does not', 'forth'],
  ] as const)('all streams are %s', async (_, what) => {
    const vm = await world.makeVm(`stall-${what}`, noisy);
    atThirdChunk(() => {
      proxy.stall(what);
      return [];
    });
    const receipt = await (await migrate(world, { vm: vm.name })).result();
    expect(receipt.body.retries).toBeGreaterThan(0);
    await expectMoved(world, vm);
  });

  test('a bit flips on the way', async () => {
    const vm = await world.makeVm('flip', noisy);
    atThirdChunk(({ bytes }) => {
      const flipped = Buffer.from(bytes);
      flipped.writeUInt8(flipped.readUInt8(100_000) ^ 4, 100_000);
      return [flipped];
    });
    const receipt = await (await migrate(world, { vm: vm.name })).result();
    expect(receipt.body.retries).toBeGreaterThan(0);
    await expectMoved(world, vm);
  });

  test('the landing cannot be reached for longer than the sender is patient', async () => {
    const vm = await world.makeVm('unreachable', noisy);
    const { farPort } = proxy;
    atThirdChunk(() => {
      // Nobody listens on the port of the protocol `tcpmux`.
      proxy.farPort = 1;
      setImmediate(proxy.cut);
      return [];
    });
    const move = await migrate(world, { vm: vm.name });
    await until(move, (at) => troubles(at).includes('landing'));
    proxy.farPort = farPort;
    await move.result();
    await expectMoved(world, vm);
  });
});
