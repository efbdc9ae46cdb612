import { afterEach, describe, expect, test } from '@jest/globals';
import { clearFaults, rebootLabHost, setFault } from '../../infra/lab/lab-host.ts';
import { expectMoved, expectUnmoved } from '../support/expect-moved.ts';
import { until, untilPhase } from '../support/until.ts';
import { useWorld } from '../support/use-world.ts';
import { impatient, MiB, migrate } from '../support/world.ts';
import type { TestHost, TestVm } from '../support/world.ts';

const slow = { limitBytesPerSecond: 3 * MiB };

describe('faults on the way', () => {
  const world = useWorld({ settings: impatient });
  afterEach(() => {
    for (const { host } of world.up.hosts) clearFaults(host.lab.root);
  });

  const noisyVm = (name: string): Promise<TestVm> =>
    world.makeVm(name, { diskBytes: [16 * MiB, 2 * MiB], noise: true });

  test('Temporal is killed and comes back on its database while bytes move', async () => {
    const vm = await noisyVm('temporal');
    const move = await migrate(world, { vm: vm.name, ...slow });
    await until(move, (at) => at.verifiedBytes > 0);
    await world.killTemporal();
    await world.startTemporal();
    await move.result();
    await expectMoved(world, vm);
  });

  test('the source host loses power while bytes move, and boots with its autostart', async () => {
    const vm = await noisyVm('power');
    const move = await migrate(world, { vm: vm.name, ...slow });
    await until(move, (at) => at.verifiedBytes > 0);
    await world.killWorker(world.london);
    const boot = await rebootLabHost(world.london.host.lab.root);
    expect(boot.started.filter((file) => file.includes(vm.name))).toEqual([]);
    await world.startWorker(world.london);
    await move.result();
    await expectMoved(world, vm);
  });

  test('an abort while bytes move starts the VM again where it was; the next move sends only what is missing', async () => {
    const vm = await noisyVm('again');
    const move = await migrate(world, { vm: vm.name, ...slow });
    await until(move, (at) => at.verifiedBytes >= 8 * MiB);
    expect(await move.abort()).toEqual({ outcome: 'aborted', restarted: true });
    await expect(move.result()).rejects.toMatchObject({ type: 'cancelled' });
    await expectUnmoved(world, vm);
    const receipt = await (await migrate(world, { vm: vm.name })).result();
    await expectMoved(world, vm);
    expect(receipt.body.wireBytes).toBeLessThan(12 * MiB);
  });

  describe('a guest that does not shut down', () => {
    test('is left running by --on-stuck-guest abort', async () => {
      const vm = await world.makeVm('stuck-abort');
      setFault(world.london.host.lab.root, { ignoreShutdown: true, vm: vm.name });
      const move = await migrate(world, { vm: vm.name, graceMs: 300, onStuckGuest: 'abort' });
      await expect(move.result()).rejects.toMatchObject({ type: 'guest-stuck' });
      await expectUnmoved(world, vm);
    });

    test('has its plug pulled by --on-stuck-guest destroy', async () => {
      const vm = await world.makeVm('stuck-destroy');
      setFault(world.london.host.lab.root, { ignoreShutdown: true, vm: vm.name });
      await (await migrate(world, { vm: vm.name, graceMs: 300, onStuckGuest: 'destroy' })).result();
      await expectMoved(world, vm);
    });

    test('that does not take the order to shut down is dealt with by the same policy', async () => {
      const vm = await world.makeVm('stuck-refuses');
      setFault(world.london.host.lab.root, { refuse: 'shutdown', vm: vm.name });
      const stays = await migrate(world, { vm: vm.name, graceMs: 300, onStuckGuest: 'abort' });
      await expect(stays.result()).rejects.toMatchObject({
        type: 'guest-stuck',
        message: expect.stringContaining('does not take the order'),
      });
      await (await migrate(world, { vm: vm.name, graceMs: 300, onStuckGuest: 'destroy' })).result();
      await expectMoved(world, vm);
    });

    test('waits for a person, who must type its name to destroy it', async () => {
      const vm = await world.makeVm('stuck-wait');
      setFault(world.london.host.lab.root, { ignoreShutdown: true, vm: vm.name });
      const move = await migrate(world, { vm: vm.name, graceMs: 300 });
      await untilPhase(move, 'waits');
      await expect(move.destroy('another', 'ops')).rejects.toMatchObject({ type: 'confirmation-mismatch' });
      await move.destroy(vm.name, 'ops');
      await move.result();
      await expectMoved(world, vm);
    });

    test('that reboots instead of halting is not taken for stopped', async () => {
      const vm = await world.makeVm('reboots');
      setFault(world.london.host.lab.root, { rebootInsteadOfHalt: true, vm: vm.name, times: 1 });
      const move = await migrate(world, { vm: vm.name, onStuckGuest: 'abort' });
      await expect(move.result()).rejects.toMatchObject({ type: 'guest-stuck' });
      await expectUnmoved(world, vm);
    });
  });

  test.each([
    ['source', 'shutdown', 'failAfterSuccess'],
    ['destination', 'create', 'failAfterSuccess'],
    ['destination', 'create', 'killInMiddle'],
    ['destination', 'unpause', 'failAfterSuccess'],
  ] as const)('at the %s, xl %s: %s', async (side, command, fault) => {
    const vm = await world.makeVm(`xl-${command}-${fault}`);
    const at: TestHost = side === 'source' ? world.london : world.frankfurt;
    setFault(at.host.lab.root, { [fault]: command, vm: vm.name, times: 1 });
    await (await migrate(world, { vm: vm.name })).result();
    await expectMoved(world, vm);
    // It is whole: a domain that was left half made would not take the order to shut down.
    await (await migrate(world, { vm: vm.name, to: 'lon-1', graceMs: 20_000, onStuckGuest: 'abort' })).result();
    await expectUnmoved(world, vm);
  });
});
